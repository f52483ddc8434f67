"""A socket, plain or TLS, as something that never blocks.

One interface over three kinds of socket: ``socket.socket``, ``ssl.SSLSocket`` and
pyOpenSSL's ``Connection``. It moves bytes and ends connections; it knows no
WebSocket, keeps no queue and waits for nothing (:class:`Blocking` is the one
exception, for those who read in a thread of their own).
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from typing import Any

__all__ = ["Blocking", "PlainTransport", "TLSTransport", "is_tls", "linger", "transport_for"]

# (l_onoff, l_linger): closing sends a reset and frees what is unsent at once.
_LINGER_NOT = struct.pack("ii", 1, 0)
_DISCARD_SIZE = 64 * 1024


class PlainTransport:
    """A plain socket; the base of the others.

    Taking it over makes the socket non-blocking and switches Nagle's algorithm
    off: a small frame behind another would otherwise wait for the peer's delayed
    acknowledgement, some 40 ms.
    """

    #: Bytes can be held above the kernel, where a poller does not see them.
    buffers = False
    #: TLS has to write before it can read on.
    wants_write = False

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.setblocking(False)
        # A socketpair or Unix socket has no such option, a dead socket has none at all.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return int(self.sock.fileno())

    def recv(self, size: int) -> bytes | None:
        """Read: bytes, ``b""`` at the end, ``None`` when there is nothing now.

        :raises OSError: the connection broke.
        """
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

    def interrupt(self) -> None:
        """Make the other end of the loop see an end, without closing the descriptor."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class TLSTransport(PlainTransport):
    """An ``ssl.SSLSocket``.

    OpenSSL's objects may be used by one thread at a time, so every call is made
    under a lock; the socket does not block, so the lock is never held for long.
    """

    buffers = True

    def __init__(self, sock: Any) -> None:
        self._lock = threading.Lock()
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

    def send(self, data: bytes | memoryview) -> int:
        with self._lock:
            try:
                return int(self.sock.send(data))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return 0

    def half_close(self) -> None:
        with self._lock:
            # Sends close_notify. The peer's own is not waited for; that it has not
            # come yet is what the error says.
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()
            # Takes the TLS layer off as well: what still comes is only thrown away.
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)

    def interrupt(self) -> None:
        # Below the TLS layer, whose state another thread may be using.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


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

    def recv(self, size: int) -> bytes | None:
        with self._lock:
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
            try:
                return int(self.sock.send(data))
            except self._again:
                return 0
            except self._broken as error:
                raise ConnectionResetError(f"TLS: {error}") from error

    def half_close(self) -> None:
        with self._lock:
            with contextlib.suppress(OSError, self._broken):
                self.sock.shutdown()
            with contextlib.suppress(OSError, self._broken):
                self.sock.sock_shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError, self._broken):
            self.sock.close()

    def interrupt(self) -> None:
        with contextlib.suppress(OSError, self._broken):
            self.sock.sock_shutdown(socket.SHUT_RDWR)


def _is_pyopenssl(sock: Any) -> bool:
    kind = type(sock)
    return kind.__name__ == "Connection" and kind.__module__ == "OpenSSL.SSL"


def is_tls(sock: Any) -> bool:
    """Whether ``sock`` is one of the TLS sockets this module knows."""
    return isinstance(sock, ssl.SSLSocket) or _is_pyopenssl(sock)


def transport_for(sock: Any) -> PlainTransport:
    """Take a connected socket over, whatever its kind.

    :raises OSError: the socket is closed.
    """
    if _is_pyopenssl(sock):
        return PyOpenSSLTransport(sock)
    if isinstance(sock, ssl.SSLSocket):
        return TLSTransport(sock)
    return PlainTransport(sock)


class Blocking:
    """Waiting reads and writes on a transport, for a thread of one's own.

    TLS must not wait inside a call that another thread needs as well, so the wait
    is for the descriptor and the call itself never blocks.

    :param timeout: seconds to wait in one call, ``None`` for ever.
    """

    def __init__(self, transport: PlainTransport, timeout: float | None) -> None:
        self.transport = transport
        self.timeout = timeout

    def recv(self, size: int) -> bytes:
        """Read at least one byte, or ``b""`` at the end.

        :raises TimeoutError: nothing came in time.
        """
        while True:
            data = self.transport.recv(size)
            if data is not None:
                return data
            self._wait(select.POLLOUT if self.transport.wants_write else select.POLLIN)

    def sendall(self, data: bytes) -> None:
        """Write everything.

        :raises TimeoutError: the peer took nothing in time.
        """
        view = memoryview(data)
        while view:
            sent = self.transport.send(view)
            if not sent:
                self._wait(select.POLLOUT)
            view = view[sent:]

    def _wait(self, event: int) -> None:
        poller = select.poll()
        poller.register(self.transport.fileno(), event)
        if not poller.poll(None if self.timeout is None else self.timeout * 1000):
            raise TimeoutError("timed out")


def linger(transport: PlainTransport, timeout: float) -> None:
    """End our half, then read and discard until the peer ends its own.

    :param timeout: seconds that the peer has for it.
    """
    transport.half_close()
    deadline = time.monotonic() + timeout
    blocking = Blocking(transport, timeout)
    with contextlib.suppress(OSError):
        while blocking.recv(_DISCARD_SIZE):
            blocking.timeout = max(0.0, deadline - time.monotonic())
