"""ws4py on CherryPy. The same program serves with this checkout and with the old 0.6.0."""

from __future__ import annotations

from typing import Any

import cherrypy

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, PAGE, announce, broadcasts
from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool
from ws4py.websocket import EchoWebSocket, WebSocket


class Echo(EchoWebSocket):
    """Sends back what comes."""

    max_message_size = MAX_SIZE


class ToAll(WebSocket):
    """Sends to all what comes, over CherryPy's bus as the documentation says."""

    max_message_size = MAX_SIZE

    def received_message(self, message: Any) -> None:
        """Hand the message on."""
        cherrypy.engine.publish("websocket-broadcast", message.data, message.is_binary)


class Root:
    """The application: an ordinary page, and the WebSocket."""

    @cherrypy.expose
    def index(self) -> bytes:
        """Return the page that a plain request is measured with."""
        return PAGE

    @cherrypy.expose
    def ws(self) -> None:
        """Return no page: the tool has answered the handshake."""


def main() -> None:
    """Serve until a signal ends the engine."""
    cherrypy.config.update(
        {
            "server.socket_host": HOST,
            "server.socket_port": 0,
            "server.socket_queue_size": BACKLOG,
            "engine.autoreload.on": False,
            "checker.on": False,
            "log.screen": False,
        }
    )
    WebSocketPlugin(cherrypy.engine).subscribe()
    cherrypy.tools.websocket = WebSocketTool()
    handler = ToAll if broadcasts() else Echo
    websocket = {"tools.websocket.on": True, "tools.websocket.handler_cls": handler}
    cherrypy.tree.mount(Root(), "/", config={"/ws": websocket})
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    announce(cherrypy.server.bound_addr[1])
    cherrypy.engine.block()


if __name__ == "__main__":
    main()
