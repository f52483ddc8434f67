"""The connection of the request at hand, under cheroot, and taking it away from there.

Only public attributes are used: ``WorkerThread.conn`` and the connection's
``socket``, ``rfile`` and ``wfile``. It must need nothing that a busy process can run
out of, such as a descriptor.
"""

from __future__ import annotations

import threading
from typing import Any

from ws4py.server._takeover import take_buffered

__all__ = ["current_connection", "swap"]


def current_connection() -> Any:
    """The HTTP connection that the calling worker thread serves, or ``None``."""
    return getattr(threading.current_thread(), "conn", None)


def swap(connection: Any) -> tuple[Any, bytes]:
    """Take the socket out of a connection and leave a dead one in its place.

    Works with plain sockets and both TLS adapters, and whatever cheroot decides
    to do next: keep the connection alive, expire it, close it.

    :returns: the socket, and the bytes that were received behind the request.
    """
    sock, initial = connection.socket, take_buffered(connection.rfile)
    connection.socket = _DeadSocket()
    connection.rfile = connection.wfile = _Nobody()
    return sock, initial


class _DeadSocket:
    """What cheroot shuts down and closes; there is no descriptor behind it."""

    def fileno(self) -> int:
        """None, as of any closed socket."""
        return -1

    def shutdown(self, how: int = 0) -> None:
        """Do nothing: the socket belongs to somebody else now."""

    def close(self) -> None:
        """Do nothing."""


class _Nobody:
    """Whom cheroot hopes for another request from, and writes the rest of a response to."""

    # Not one of io's classes: their finalizers would cost more than all of this.
    bytes_read = bytes_written = 0
    closed = False

    def has_data(self) -> bool:
        """Say that there is something, so that cheroot reads it without a poller's say."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read the end."""
        return b""

    readline = read

    def write(self, data: Any) -> int:
        """Take everything."""
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Be closed."""
        self.closed = True
