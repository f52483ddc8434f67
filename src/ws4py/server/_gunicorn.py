"""The socket of the request at hand, under gunicorn: any worker, plain or TLS."""

from __future__ import annotations

from typing import Any

from ws4py.server._transplant import transplant

__all__ = ["take"]


def take(environ: dict[str, Any]) -> tuple[Any, bytes] | None:
    """Take the socket and what was read behind the request; ``None`` elsewhere."""
    sock = environ.get("gunicorn.socket")
    if sock is None:
        return None
    return transplant(sock), _read_behind(environ["wsgi.input"])


def _read_behind(body: Any) -> bytes:
    # A request with a body of unknown length, which is refused, has another reader.
    unreader = getattr(body.reader, "unreader", None)
    if unreader is None:
        return b""
    # Releases before 27 have no method for it.
    taken = unreader.take_buffered if hasattr(unreader, "take_buffered") else unreader.buf.getvalue
    first_bytes: bytes = taken()
    return first_bytes
