"""WebSocket (RFC 6455) for Python's threaded and WSGI servers.

This package holds names only; what users subclass is in
:mod:`ws4py.websocket`, and each server has its module below
:mod:`ws4py.server`.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from typing import Any

from ws4py._log import logger
from ws4py._wire.codes import WS_KEY, WS_VERSION

__all__ = ["WS_KEY", "WS_VERSION", "configure_logger", "format_addresses"]

__author__ = "the ws4py contributors"
__version__ = "1.0.0.dev0"

_LOG_FORMAT = "[%(asctime)s] %(levelname)s %(message)s"
_LOG_FILE_BYTES = 10 * 1024 * 1024
_LOG_FILE_COUNT = 3


def configure_logger(
    stdout: bool = True, filepath: str | None = None, level: int = logging.INFO
) -> logging.Logger:
    """Give the ``ws4py`` logger a place to write to, and return it.

    A program that configures :mod:`logging` itself does not need this.

    :param stdout: write to the standard output.
    :param filepath: write to this file too, which is rotated at 10 MiB.
    :param level: the lowest level that is written.
    """
    logger.setLevel(level)
    handlers: list[logging.Handler] = []
    if filepath is not None:
        handlers.append(
            logging.handlers.RotatingFileHandler(
                filepath, maxBytes=_LOG_FILE_BYTES, backupCount=_LOG_FILE_COUNT
            )
        )
    if stdout:
        handlers.append(logging.StreamHandler(sys.stdout))
    for handler in handlers:
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter(_LOG_FORMAT))
        logger.addHandler(handler)
    return logger


def format_addresses(ws: Any) -> str:
    """Return both addresses of a websocket as one text for a log line.

    Never raises: a peer may be gone before anybody asks who it was.
    """
    try:
        local, peer = ws.local_address, ws.peer_address
    except (OSError, AttributeError):
        return "[Unconnected]"
    if isinstance(local, tuple) and isinstance(peer, tuple):
        return f"[Local => {local[0]}:{local[1]} | Remote => {peer[0]}:{peer[1]}]"
    return f"[Bound to '{local or peer}']"
