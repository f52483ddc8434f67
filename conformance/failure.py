"""The two ways in which a run ends without verdicts.

A verdict that differs is none of these: it is a result, and it is reported with all others.
"""

from __future__ import annotations

from pathlib import Path


class ConformanceError(Exception):
    """The run could not be done, or proves nothing; the message is for whoever started it."""


class CannotRunHereError(ConformanceError):
    """This machine lacks something the suite needs; the message ends with how to get it."""


def end_of(log: Path, lines: int) -> str:
    """Return the last lines of a log, for a message that would otherwise only name the file."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
