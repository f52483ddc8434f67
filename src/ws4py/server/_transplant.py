"""Taking a socket from a server whose own objects are out of reach.

The server keeps its object, and its number, but what is behind them is dead. For
servers that keep a plain blocking socket or an ``ssl.SSLSocket``; POSIX only.
"""

from __future__ import annotations

import os
from typing import Any

from ws4py._transport import is_tls
from ws4py.server._takeover import dead_socket

__all__ = ["ShadowedSocket", "transplant"]


def transplant(sock: Any) -> Any:
    """Take a connected socket; returns one that only the caller has."""
    if is_tls(sock):
        return ShadowedSocket(sock)
    with dead_socket() as dead:
        mine = sock.dup()
        os.dup2(dead.fileno(), sock.fileno(), inheritable=False)
    mine.setblocking(True)
    return mine


class ShadowedSocket:
    """The live half of an ``ssl.SSLSocket`` whose instance has been made to play dead.

    TLS state cannot be duplicated, so the object stays one; methods put on the
    instance hide those of the class from the server, and we use the class's.
    """

    #: See :func:`ws4py._transport.is_tls`.
    is_tls = True

    def __init__(self, sock: Any) -> None:
        self.shadowed = sock
        self._kind = kind = type(sock)
        self._closed = self._closed_there = False
        self.family = sock.family
        kind.settimeout(sock, None)
        self._dead = dead_socket()
        nothing: dict[str, Any] = {
            "close": self._closed_by_server,
            # What the server still waits for is not what we wait for.
            "fileno": self._dead.fileno,
            "shutdown": lambda *_: None,
            "recv": lambda *_: b"",
            "recv_into": lambda *_: 0,
            "send": lambda data, *_: len(data),
            "sendall": lambda *_: None,
            "settimeout": lambda *_: None,
            "setblocking": lambda *_: None,
            "gettimeout": lambda: None,
            "unwrap": lambda: sock,
        }
        self._hidden = list(nothing)
        for name, method in nothing.items():
            setattr(sock, name, method)

    def recv(self, size: int) -> Any:
        return self._kind.recv(self.shadowed, size)

    def send(self, data: Any) -> int:
        return int(self._kind.send(self.shadowed, data))

    def sendall(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            view = view[self.send(view) :]

    def fileno(self) -> int:
        return int(self._kind.fileno(self.shadowed))

    def pending(self) -> int:
        return int(self.shadowed.pending())

    def setblocking(self, flag: bool) -> None:
        self._kind.settimeout(self.shadowed, None if flag else 0.0)

    def settimeout(self, timeout: float | None) -> None:
        self._kind.settimeout(self.shadowed, timeout)

    def gettimeout(self) -> float | None:
        timeout: float | None = self._kind.gettimeout(self.shadowed)
        return timeout

    def setsockopt(self, *option: Any) -> None:
        self.shadowed.setsockopt(*option)

    def getsockname(self) -> Any:
        return self.shadowed.getsockname()

    def getpeername(self) -> Any:
        return self.shadowed.getpeername()

    def unwrap(self) -> Any:
        return self._kind.unwrap(self.shadowed)

    def shutdown(self, how: int) -> None:
        self._kind.shutdown(self.shadowed, how)

    def close(self) -> None:
        self._closed = True
        self._end()

    def _closed_by_server(self) -> None:
        self._dead.close()
        self._closed_there = True
        if self._closed:
            self._end()

    def _end(self) -> None:
        # With a reader of the server's still open this closes nothing: the reader
        # does so when it is closed, by the method that the server sees.
        self._kind.close(self.shadowed)
        if self._closed_there:
            for name in self._hidden:
                vars(self.shadowed).pop(name, None)
