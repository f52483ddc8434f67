"""ws4py on the standard library's wsgiref server."""

from __future__ import annotations

from typing import Any
from wsgiref.simple_server import make_server

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, announce, broadcasts
from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket, WebSocket


class Server(WSGIServer):
    """A server with room for a crowd that comes at once."""

    request_queue_size = BACKLOG


class Quiet(WebSocketWSGIRequestHandler):
    """Writes no access log, as no other server here does."""

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Echo(EchoWebSocket):
    """Sends back what comes."""

    max_message_size = MAX_SIZE


class ToAll(WebSocket):
    """Sends to all what comes."""

    server: Server

    def received_message(self, message: Any) -> None:
        """Hand the message on."""
        manager = self.server.manager
        assert manager is not None
        manager.broadcast(message.data, message.is_binary)


def main() -> None:
    """Serve until a signal ends the process."""
    application = WebSocketWSGIApplication(handler_cls=ToAll if broadcasts() else Echo)
    server = make_server(HOST, 0, application, server_class=Server, handler_class=Quiet)
    server.initialize_websockets_manager()
    ToAll.server = server
    announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
