"""Serving one connection in a thread of the program's own: ``WebSocket.run``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ws4py._blocking import Blocking
from ws4py._heartbeat import Beating, Heartbeat
from ws4py._transport import is_tls

__all__ = ["serve"]


class Served(Beating, Protocol):
    """What is needed of a connection; see :class:`ws4py.websocket.WebSocket`."""

    sock: Any
    sock_timeout: float | None
    close_timeout: float

    @property
    def terminated(self) -> bool: ...

    def opened(self) -> None: ...

    def once(self) -> bool: ...

    def terminate(self) -> None: ...

    def _call(self, callback: Callable[..., object], *arguments: object) -> bool: ...

    def _blocking(self, sock: Any) -> Blocking: ...


def serve(websocket: Served, heartbeat: Heartbeat) -> None:
    """Call back for everything that arrives, until the connection has ended."""
    sock = websocket.sock
    if not is_tls(sock):
        sock.settimeout(websocket.sock_timeout)
    blocking = websocket._blocking(sock)  # noqa: SLF001 - a part of the class
    with blocking.reading(), heartbeat:
        try:
            proceed = websocket._call(websocket.opened)  # noqa: SLF001
            while proceed and not websocket.terminated:
                proceed = websocket.once()
            if websocket.server_terminated and websocket.sock is sock:
                # The peer is to read our close frame.
                blocking.linger(websocket.close_timeout)
        finally:
            websocket.terminate()
