"""The ways in which something cannot be measured.

A slow server is none of these: that is a result.
"""

from __future__ import annotations

from pathlib import Path


class BenchmarkError(Exception):
    """The run cannot go on; the message is for whoever started it."""


class UnavailableError(BenchmarkError):
    """A peer, or a tool, cannot be had on this machine; the message says why."""


class MeasurementError(BenchmarkError):
    """One server failed in one scenario; it has no figure there, and the run goes on."""


def end_of(log: Path, lines: int) -> str:
    """Return the last lines of a log, for a message that would otherwise only name the file."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
