"""Names of the suite's cases: their order, and choosing some of them.

A case is named by its section, as in "7.13.1". This module knows nothing of verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

FULL = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*")
# Without limits and performance (9) and compression (12, 13), which take most of the time.
QUICK = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")


def natural(case: str) -> tuple[int, ...]:
    """Sort key that puts 2.9 before 2.10."""
    return tuple(int(part) for part in case.split("."))


def matches(case: str, patterns: Sequence[str]) -> bool:
    """Tell whether the case is meant: 7.13.1 is meant by "7.13.1", by "7.13.*" and by "7.*"."""
    return any(fnmatchcase(case, pattern) for pattern in patterns)


def select(cases: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return those of the cases that are meant, in natural order."""
    return sorted((case for case in cases if matches(case, patterns)), key=natural)
