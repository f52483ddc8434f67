"""Which server this request came through, and taking its socket from it.

For servers that are not ours: the application answers on the socket itself, and
what the server writes afterwards goes nowhere.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from ws4py.server import _gunicorn, _werkzeug
from ws4py.server._cheroot import swap

__all__ = ["take_socket"]


def take_socket(environ: dict[str, Any]) -> tuple[Any, bytes] | None:
    """Take the request's socket, blocking, and what has been read behind the request.

    ``None`` where the server is unknown or cannot hand over a socket.
    """
    for server in (_gunicorn, _werkzeug):
        found: tuple[Any, bytes] | None = server.take(environ)
        if found is not None:
            return found
    return _take_from_cheroot()


def _take_from_cheroot() -> tuple[Any, bytes] | None:
    connection = getattr(threading.current_thread(), "conn", None)
    cheroot = sys.modules.get("cheroot.server")
    if cheroot is None or not isinstance(connection, cheroot.HTTPConnection):
        return None
    taken = swap(connection)
    taken[0].settimeout(None)
    return taken
