"""ws4py on gevent's WSGI server."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from typing import Any  # noqa: E402 - gevent wants to come first

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, announce, broadcasts  # noqa: E402
from ws4py.server.geventserver import WebSocketWSGIApplication, WSGIServer  # noqa: E402
from ws4py.websocket import EchoWebSocket, WebSocket  # noqa: E402


class Echo(EchoWebSocket):
    """Sends back what comes."""

    max_message_size = MAX_SIZE


class ToAll(WebSocket):
    """Sends to all what comes."""

    server: WSGIServer

    def received_message(self, message: Any) -> None:
        """Hand the message on."""
        data, binary = message.data, message.is_binary
        for websocket in list(self.server.websockets.websockets):
            websocket.send(data, binary)


def main() -> None:
    """Serve until a signal ends the process."""
    application = WebSocketWSGIApplication(handler_cls=ToAll if broadcasts() else Echo)
    server = WSGIServer((HOST, 0), application, log=None, backlog=BACKLOG)
    ToAll.server = server
    server.start()
    announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
