"""Telling a programmer that a handler holds up everybody else."""

from __future__ import annotations

import time
from typing import Any

from ws4py._log import logger

__all__ = ["SLOW_SECONDS", "report"]

#: How long the callbacks of one connection may keep a loop to themselves.
SLOW_SECONDS = 0.1
#: How long there is silence after a report, for each class.
_QUIET_SECONDS = 60.0

_reported: dict[type, float] = {}


def report(websocket: Any, seconds: float) -> None:
    """Log that the callbacks of a connection have kept its loop for so long."""
    kind, now = type(websocket), time.monotonic()
    if now - _reported.get(kind, -_QUIET_SECONDS) < _QUIET_SECONDS:
        return
    _reported[kind] = now
    logger.warning(
        "%s.%s: a callback held up all other websockets for %.0f ms; "
        "workers=N of the manager runs callbacks in threads of their own",
        kind.__module__,
        kind.__qualname__,
        seconds * 1000,
    )
