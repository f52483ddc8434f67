"""The connection of the request at hand, under cheroot, and taking it away from there.

Only public attributes are used: ``WorkerThread.conn`` and the connection's
``socket``, ``rfile``, ``wfile``, ``remote_addr`` and ``remote_port``. It must need
nothing that a busy process can run out of, such as a descriptor.
"""

from __future__ import annotations

import threading
from typing import Any

from ws4py._connected import Connected
from ws4py._sharing import shared
from ws4py.server._takeover import discard, take_buffered

__all__ = ["current_connection", "end_behind_response", "is_ending", "note_peer", "swap"]


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


def note_peer(connection: Any, websocket: Any) -> None:
    """Have a websocket know its peer from cheroot, which was told by ``accept()``.

    To ask the kernel again is a system call, behind which the GIL has to be waited for.
    """
    # A Unix socket's has none; what stands for one that is not known has no port.
    if isinstance(websocket, Connected) and connection.remote_addr and connection.remote_port:
        websocket._peer_address = (  # noqa: SLF001 - kept as if it had been asked for
            shared(connection.remote_addr),
            connection.remote_port,
        )


def end_behind_response(connection: Any) -> None:
    """Let a connection give one more response, and then end whatever cheroot decides to do.

    Until then it can still be taken by :func:`swap`, which calls that off.
    """
    if not is_ending(connection):
        connection.rfile = _LastReader(connection)


def is_ending(connection: Any) -> bool:
    """Whether the response at hand is the connection's last."""
    # Of a server that is not cheroot it may be anything.
    return isinstance(getattr(connection, "rfile", None), _LastReader)


class _LastReader:
    """What cheroot reads the next request from, or closes: then the connection ends.

    What has been received stays behind it, for a request that still becomes a websocket.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._reader = connection.rfile

    @property
    def bytes_read(self) -> int:
        """As of the real one; cheroot counts them."""
        return int(self._reader.bytes_read)

    @property
    def closed(self) -> bool:
        """As of the real one."""
        return bool(self._reader.closed)

    def has_data(self) -> bool:
        """Say that there is something, so that cheroot reads it without a poller's say."""
        return True

    def peek(self, size: int) -> bytes:
        """Return what has been received, without waiting."""
        return bytes(self._reader.peek(size)) if self._reader.has_data() else b""

    def read(self, size: int = -1) -> bytes:
        """Read the end."""
        self.close()
        return b""

    readline = read

    def close(self) -> None:
        """End the connection."""
        sock, _ = swap(self._connection)
        discard(sock)


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
