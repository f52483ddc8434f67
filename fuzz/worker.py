"""A process that explores: ``python -m fuzz.worker bytes|differential ...``; started by jobs.py."""

from __future__ import annotations

import sys

from fuzz import by_hypothesis
from fuzz.differential import compare

__all__ = ["main"]


def main(kind: str, *arguments: str) -> None:
    """Do one kind of work and say in the last line what was done."""
    if kind == "bytes":
        target, seconds, seed = arguments
        print(f"{by_hypothesis.explore(target, float(seconds), int(seed))} inputs")
    else:
        first, count = map(int, arguments)
        print(compare.explore(first, count))


if __name__ == "__main__":
    main(*sys.argv[1:])
