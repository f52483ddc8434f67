"""What is done with an input that breaks an invariant: it is kept, and may be run again."""

from __future__ import annotations

import hashlib
import shlex
import sys
from pathlib import Path
from types import TracebackType

from fuzz.places import CRASHES, ROOT

__all__ = ["Keeping", "again", "keep"]


def again(*arguments: str) -> str:
    """Return the command that runs something again."""
    python = Path(sys.prefix) / "bin" / "python"
    shown = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    return shlex.join([str(shown), "fuzz/run.py", *arguments])


def keep(target: str, data: bytes, folder: Path = CRASHES) -> Path:
    """Write an input to a file of its own and say how to run it again."""
    folder = folder / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"fuzz: {target}: an input of {len(data)} bytes broke an invariant: {data[:200]!r}")
    print(f"fuzz: run it again: {again('--input', str(shown), target)}", flush=True)
    return path


class Keeping:
    """While it is entered, the input that was noted last is kept when an error gets out."""

    def __init__(self, target: str, folder: Path = CRASHES) -> None:
        self.target = target
        self.folder = folder
        self.data: bytes | None = None

    def __enter__(self) -> Keeping:  # noqa: PYI034 - typing.Self came after 3.10
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # An interrupt says nothing about the input.
        if kind is not None and issubclass(kind, Exception) and self.data is not None:
            keep(self.target, self.data, self.folder)
