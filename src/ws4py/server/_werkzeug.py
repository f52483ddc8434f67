"""The socket of the request at hand, under Werkzeug's development server."""

from __future__ import annotations

from typing import Any

from ws4py.server._takeover import take_buffered
from ws4py.server._transplant import transplant

__all__ = ["take"]


def take(environ: dict[str, Any]) -> tuple[Any, bytes] | None:
    """Take the socket and what was read behind the request; ``None`` elsewhere."""
    sock = environ.get("werkzeug.socket")
    if sock is None:
        return None
    # Werkzeug reads and discards what comes within 10 ms of a response, so this has
    # to be done before it sees one. A request with a body of unknown length, which is
    # refused, has another reader.
    reader = environ["wsgi.input"]
    first_bytes = take_buffered(reader, sock) if hasattr(reader, "peek") else b""
    return transplant(sock), first_bytes
