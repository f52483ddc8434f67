"""A real server in front of the manager, so that accepting fails now and then, too."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import make_server

from ws4py.manager import WebSocketManager
from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer
from ws4py.server.wsgiutils import WebSocketWSGIApplication

__all__ = ["Door"]

_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_DEADLINE = 20.0


class _Silent(WebSocketWSGIRequestHandler):
    """Says nothing about requests."""

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
        """See the base class."""


class Door:
    """A wsgiref server with a thread of its own.

    :param manager: gets the websockets.
    :param make: makes a handler, with the arguments that a WSGI application gives it.
    """

    def __init__(self, manager: WebSocketManager, make: Callable[..., Any]) -> None:
        application: Any = WebSocketWSGIApplication(handler_cls=make)
        self._server: Any = make_server(
            "127.0.0.1", 0, application, server_class=WSGIServer, handler_class=_Silent
        )
        self._server.manager = manager
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def connect(self) -> tuple[socket.socket, bytes]:
        """Return a client's socket behind the handshake, and what came behind the 101.

        :raises AssertionError: it was not accepted.
        """
        sock = socket.create_connection(self._server.server_address, _DEADLINE)
        sock.sendall(_REQUEST % base64.b64encode(bytes(16)))
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(4096)
            assert more, "the server closed the connection"
            data += more
        assert data.startswith(b"HTTP/1.1 101 "), data[:100]
        return sock, data.partition(b"\r\n\r\n")[2]

    def close(self) -> None:
        """End the server; the manager has ended."""
        self._server.shutdown()
        self._thread.join(_DEADLINE)
        assert not self._thread.is_alive(), "the server's thread did not end"
        self._server.server_close()
