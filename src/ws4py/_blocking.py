"""A socket that a thread of the program's own reads, and whose writes may wait.

It waits so that no call below waits itself; it knows no WebSocket.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from ws4py._transport import (
    PlainTransport,
    interrupt,
    is_cooperative,
    is_real,
    is_tls,
    transport_for,
)

__all__ = ["Blocking", "blocking_for"]

_DISCARD_SIZE = 64 * 1024

_making = threading.RLock()


class Owner(Protocol):
    """Who has a socket, and keeps the one :class:`Blocking` of it."""

    _own_io: Blocking | None


class Blocking:
    """A socket that a thread of the program's own reads, and whose writes may wait.

    TLS must not wait inside a call that another thread needs as well: there the
    wait is for the descriptor and the call itself never blocks. Whatever is no
    real socket, such as a test's stand-in, is simply called.
    """

    # There is one for each connection.
    __slots__ = ("_cooperative", "_deadline", "_gate", "_reader", "sock", "transport", "unsent")

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        #: Of a TLS socket; its lock keeps TLS in order, so there is one for each socket.
        self.transport = transport_for(sock) if is_tls(sock) else None
        #: To be sent first: the rest of what a loop had queued when it let the socket go.
        self.unsent = b""
        self._cooperative = is_cooperative(sock)
        self._gate = threading.RLock()
        self._reader: int | None = None
        self._deadline: threading.Timer | None = None

    # -- Reading and writing -----------------------------------------------------

    def recv(self, size: int, timeout: float | None) -> bytes:
        """Read at least one byte, or ``b""`` at the end.

        :param timeout: seconds, ``None`` for ever; a plain socket has its own.
        :raises TimeoutError: nothing came in time.
        """
        if self.transport is None or self._cooperative:
            return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any on purpose
        return _recv(self._nonblocking(self.transport), size, timeout)

    def recv_now(self, size: int) -> bytes | None:
        """Read what is there, ``None`` when that is nothing, of a non-blocking socket."""
        if self.transport is not None:
            return self.transport.recv(size)
        try:
            return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any on purpose
        except BlockingIOError:
            return None

    def recv_pending(self) -> bytes:
        """Read what the TLS layer has decrypted already and no poller announces."""
        source: Any = self.sock if self.transport is None else self.transport
        size = source.pending()
        return (source.recv(size) or b"") if size else b""

    def sendall(self, data: bytes, timeout: float | None) -> None:
        """Write everything.

        :raises TimeoutError: the peer took nothing in time.
        """
        if self.unsent:
            data, self.unsent = self.unsent + data, b""
        try:
            self._sendall(data, timeout)
        except OSError:
            # Half a frame may be out, and nothing makes sense behind it.
            interrupt(self.sock)
            raise

    def _sendall(self, data: bytes, timeout: float | None) -> None:
        if self.transport is None or self._cooperative:
            self.sock.sendall(data)
            return
        transport = self._nonblocking(self.transport)
        view = memoryview(data)
        while view:
            sent = transport.send(view)
            if not sent:
                _wait(transport, select.POLLOUT, timeout)
            view = view[sent:]

    def _nonblocking(self, transport: PlainTransport) -> PlainTransport:
        # Whatever the program has set: a read that waits inside of TLS would keep
        # every writer out.
        if self.sock.gettimeout() != 0:
            self.sock.setblocking(False)
        return transport

    # -- The end -----------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """The calling thread is the one that reads, and that completes the end."""
        self._reader = threading.get_ident()
        try:
            yield
        finally:
            with self._gate:
                self._reader = None
                deadline, self._deadline = self._deadline, None
            if deadline is not None:
                deadline.cancel()

    def is_read_elsewhere(self) -> bool:
        """Whether another thread is the one that reads."""
        return self._reader not in (None, threading.get_ident())

    def end_within(self, seconds: float) -> None:
        """Let nobody wait for the peer any longer than that, while a thread reads."""
        with self._gate:
            if self._reader is not None and self._deadline is None and is_real(self.sock):
                self._deadline = threading.Timer(seconds, interrupt, [self.sock])
                self._deadline.name, self._deadline.daemon = "WebSocketDeadline", True
                self._deadline.start()

    def linger(self, seconds: float) -> None:
        """End our half, then read and discard until the peer ends its own.

        Closing with unread input would make the kernel reset the connection and
        destroy what is still on its way.
        """
        if not is_real(self.sock):
            return
        transport = self.transport or transport_for(self.sock)
        transport.half_close()
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while _recv(transport, _DISCARD_SIZE, seconds) and seconds:
                seconds = max(0.0, deadline - time.monotonic())

    def close(self) -> None:
        """Close the socket, also under a thread that waits for it."""
        if self.transport is not None:
            self.transport.half_close()
            interrupt(self.sock)
            self.transport.close()
            return
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.sock.close()


def blocking_for(owner: Owner, sock: Any) -> Blocking:
    """The one :class:`Blocking` of a socket, made on first use and kept by its owner."""
    found = owner._own_io  # noqa: SLF001 - what it is for
    if found is None or found.sock is not sock:
        with _making:
            found = owner._own_io  # noqa: SLF001
            if found is None or found.sock is not sock:
                found = owner._own_io = Blocking(sock)  # noqa: SLF001
    return found


def _recv(transport: PlainTransport, size: int, timeout: float | None) -> bytes:
    while True:
        data = transport.recv(size)
        if data is not None:
            return data
        _wait(transport, select.POLLOUT if transport.wants_write else select.POLLIN, timeout)


def _wait(transport: PlainTransport, event: int, timeout: float | None) -> None:
    fd = transport.fileno()
    if fd < 0:
        raise OSError(errno.EBADF, "the socket has been closed")
    poller = select.poll()
    poller.register(fd, event)
    if not poller.poll(None if timeout is None else timeout * 1000):
        raise TimeoutError("timed out")
