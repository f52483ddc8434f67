"""A socket, plain or TLS, as something that never blocks.

One interface over three kinds of socket: ``socket.socket``, ``ssl.SSLSocket`` and
pyOpenSSL's ``Connection``. It moves bytes and ends connections; it knows no
WebSocket, keeps no queue and waits for nothing.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import ssl
import struct
import threading
from typing import Any

from ws4py._sharing import shared

__all__ = [
    "PlainTransport",
    "PyOpenSSLTransport",
    "TLSTransport",
    "address_of",
    "interrupt",
    "is_cooperative",
    "is_real",
    "is_tls",
    "transport_for",
]

# (l_onoff, l_linger): closing sends a reset and frees what is unsent at once.
_LINGER_NOT = struct.pack("ii", 1, 0)

_ROOM_SIZE = 64 * 1024
# To read into; as many as threads have read at a time. recv() would take a new block for each
# read and cut it to what has come. The C library keeps such cuttings for a while, between blocks
# that it then cannot put together, and so megabytes of them under a flood.
_rooms: list[memoryview] = []


class PlainTransport:
    """A plain socket; the base of the others."""

    #: Bytes can be held above the kernel, where a poller does not see them.
    buffers = False
    #: TLS has to write before it can read on.
    wants_write = False

    # There are as many as connections.
    __slots__ = ("sock",)

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.take_over()

    def take_over(self) -> None:
        """Make the socket non-blocking and switch Nagle's algorithm off: a small
        frame behind another would otherwise wait for the peer's delayed
        acknowledgement, some 40 ms.

        :raises OSError: the socket is closed.
        """
        self.sock.setblocking(False)
        # A socketpair or Unix socket has no such option.
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return int(self.sock.fileno())

    def recv(self, size: int) -> bytes | None:
        """Read: bytes, ``b""`` at the end, ``None`` when there is nothing now.

        :param size: how many bytes at the most; it may be fewer, though more have come.
        :raises OSError: the connection broke.
        """
        sock = self.sock
        if type(sock) is not socket.socket and not is_cooperative(sock):
            # It may have a recv of its own.
            return self._recv(size)
        try:
            room = _rooms.pop()
        except IndexError:
            room = memoryview(bytearray(_ROOM_SIZE))
        try:
            return bytes(room[: sock.recv_into(room, min(size, _ROOM_SIZE))])
        except BlockingIOError:
            return None
        finally:
            _rooms.append(room)

    def _recv(self, size: int) -> bytes | None:
        try:
            return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any on purpose
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """Write what fits; returns how many bytes, 0 when nothing fits now.

        :raises OSError: the connection broke.
        """
        try:
            return int(self.sock.send(data))
        except BlockingIOError:
            return 0

    def pending(self) -> int:
        """Bytes that are read from the kernel already."""
        return 0

    def half_close(self) -> None:
        """Tell the peer that nothing more comes; reading goes on."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the descriptor. Safe to call twice."""
        with contextlib.suppress(OSError):
            self.sock.close()

    def abort(self) -> None:
        """Close with a reset: for a peer that had its time and did not end."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.close()


class TLSTransport(PlainTransport):
    """An ``ssl.SSLSocket``.

    OpenSSL's objects may be used by one thread at a time, so every call is made
    under a lock; the socket does not block, so the lock is never held for long.
    (It is reentrant for the sake of a signal's handler.)
    """

    buffers = True

    def __init__(self, sock: Any) -> None:
        self._lock = threading.RLock()
        super().__init__(sock)

    def recv(self, size: int) -> bytes | None:
        with self._lock:
            self.wants_write = False
            try:
                return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any
            except (ssl.SSLWantReadError, BlockingIOError):
                return None
            except ssl.SSLWantWriteError:
                self.wants_write = True
                return None
            except ssl.SSLEOFError:
                # The peer left without close_notify: an end like any other, since a
                # WebSocket says by its close frame whether it is complete.
                return b""
            except ssl.SSLError as error:
                raise ConnectionResetError(f"TLS: {error}") from error

    def pending(self) -> int:
        with self._lock:
            return int(self.sock.pending())

    def send(self, data: bytes | memoryview) -> int:
        with self._lock:
            try:
                return int(self.sock.send(data))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return 0
            except ssl.SSLError as error:
                raise ConnectionResetError(f"TLS: {error}") from error

    def close(self) -> None:
        # Not under another thread's call: the number of the descriptor may come again.
        with self._lock:
            super().close()

    def half_close(self) -> None:
        with self._lock:
            # Sends close_notify. The peer's own is not waited for; that it has not
            # come yet is what the error says.
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()
            # Takes the TLS layer off as well: what still comes is only thrown away.
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)


class PyOpenSSLTransport(TLSTransport):
    """pyOpenSSL's ``Connection``, which cheroot's ``pyopenssl`` adapter makes."""

    def __init__(self, sock: Any) -> None:
        # Whoever made the object has the package; ws4py does not depend on it.
        from OpenSSL import SSL  # noqa: PLC0415

        self._again = (SSL.WantReadError, SSL.WantWriteError)
        self._want_write: type[Exception] = SSL.WantWriteError
        self._end: type[Exception] = SSL.ZeroReturnError
        self._broken: type[Exception] = SSL.Error
        super().__init__(sock)

    def _check_open(self) -> None:
        # OpenSSL knows the descriptor's number only, which may be another's by now.
        if self.fileno() < 0:
            raise OSError(errno.EBADF, "the socket has been closed")

    def recv(self, size: int) -> bytes | None:
        with self._lock:
            self._check_open()
            self.wants_write = False
            try:
                return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any
            except self._again as error:
                self.wants_write = isinstance(error, self._want_write)
                return None
            except self._end:
                return b""
            except self._broken as error:
                raise ConnectionResetError(f"TLS: {error}") from error

    def send(self, data: bytes | memoryview) -> int:
        with self._lock:
            self._check_open()
            try:
                return int(self.sock.send(data))
            except self._again:
                return 0
            except self._broken as error:
                raise ConnectionResetError(f"TLS: {error}") from error

    def half_close(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._check_open()
            with contextlib.suppress(self._broken):
                self.sock.shutdown()
            self.sock.sock_shutdown(socket.SHUT_WR)


# By its type: a mock that was made after a socket class calls itself an instance of it.
def _is_a(sock: Any, kind: type) -> bool:
    return issubclass(type(sock), kind)


def _is_pyopenssl(sock: Any) -> bool:
    return any(
        kind.__name__ == "Connection" and kind.__module__ == "OpenSSL.SSL"
        for kind in type(sock).__mro__
    )


def _is_ssl(sock: Any) -> bool:
    # gevent's class has the standard library's objects inside but is none of its own;
    # a socket that was taken from a server says so itself.
    kind = type(sock)
    return getattr(kind, "is_tls", False) is True or any(
        each.__name__ == "SSLSocket" for each in kind.__mro__
    )


def is_cooperative(sock: Any) -> bool:
    """Whether its calls wait without holding up the thread: gevent's."""
    return type(sock).__module__.startswith("gevent.")


def is_tls(sock: Any) -> bool:
    """Whether ``sock`` is one of the TLS sockets this module knows."""
    return type(sock) is not socket.socket and (_is_ssl(sock) or _is_pyopenssl(sock))


def is_real(sock: Any) -> bool:
    """Whether ``sock`` is a socket, and not something that a program plays with."""
    return _is_a(sock, socket.socket) or _is_pyopenssl(sock)


def address_of(sock: Any, method: str) -> Any:
    """What ``getsockname`` or ``getpeername`` tells: of IPv6 without flow and scope.

    :raises OSError: the socket is closed, or the peer is gone.
    """
    if sock is None:
        raise OSError(errno.EBADF, "the connection is closed")
    address = getattr(sock, method)()
    if not isinstance(address, tuple):
        return address
    if method == "getsockname":
        return _own(address[:2])
    # One text for all connections of a client or proxy, and for what their environs say of it.
    return shared(address[0]), address[1]


@functools.lru_cache(maxsize=16)
def _own(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """One object for our end of all connections, for most have the same."""
    return address


def transport_for(sock: Any) -> PlainTransport:
    """Take a connected socket over, whatever its kind.

    :raises OSError: the socket is closed.
    """
    if not is_tls(sock):
        return PlainTransport(sock)
    return PyOpenSSLTransport(sock) if _is_pyopenssl(sock) else TLSTransport(sock)


def interrupt(sock: Any) -> None:
    """Make whoever waits for the peer see an end, below any TLS layer; closes nothing."""
    with contextlib.suppress(OSError):
        if _is_pyopenssl(sock):
            sock.sock_shutdown(socket.SHUT_RDWR)
        elif hasattr(type(sock), "interrupt"):
            sock.interrupt()
        else:
            # The class below any TLS; gevent's is not the standard library's.
            for kind in type(sock).__mro__:
                if kind.__name__ == "socket":
                    kind.shutdown(sock, socket.SHUT_RDWR)  # type: ignore[attr-defined]  # a socket's
                    break
