"""The connection of the request at hand, under cheroot, and taking it away from there.

Only public attributes are used: ``WorkerThread.conn`` and the connection's
``socket``, ``rfile`` and ``wfile``.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from typing import Any

from cheroot.makefile import MakeFile

from ws4py.server._takeover import dead_socket, take_buffered

__all__ = ["current_connection", "cut", "swap"]


def current_connection() -> Any:
    """The HTTP connection that the calling worker thread serves, or ``None``."""
    return getattr(threading.current_thread(), "conn", None)


def swap(connection: Any) -> tuple[Any, bytes]:
    """Take the socket out of a connection and leave a dead one in its place.

    Works with plain sockets and both TLS adapters, and whatever cheroot decides
    to do next: keep the connection alive, expire it, close it.

    :returns: the socket, and the bytes that were received behind the request.
    :raises OSError: no descriptor is left for the dead socket.
    """
    sock, initial = connection.socket, take_buffered(connection.rfile)
    dead = dead_socket()
    connection.socket = dead
    connection.rfile = MakeFile(dead, "rb", connection.rbufsize)
    # A writer of the dead socket would keep what cheroot writes, and complain of it when
    # it is collected.
    connection.wfile = _Nowhere()
    return sock, initial


def cut(connection: Any) -> None:
    """End a connection that cannot be taken: cheroot reads an end next, and closes it."""
    # What was received behind the request is no other request.
    connection.rfile.read(len(take_buffered(connection.rfile)))
    shutdown = getattr(connection.socket, "sock_shutdown", connection.socket.shutdown)
    with contextlib.suppress(OSError):
        shutdown(socket.SHUT_RDWR)


class _Nowhere(io.RawIOBase):
    """Where cheroot writes what is left of a response."""

    bytes_written = 0

    def write(self, data: Any) -> int:
        """Take everything."""
        return len(data)
