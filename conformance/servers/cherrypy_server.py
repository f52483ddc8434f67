"""CherryPy with one echoing WebSocket, the server under test of a conformance run.

It binds a free port of the loopback interface, prints that port as the only line of its output once
it accepts connections, logs to the file it is given, and ends at SIGTERM. It must use ws4py as any
application does: whatever it set specially for the suite would be a verdict that users do not get.
"""

from __future__ import annotations

import argparse

import cherrypy

from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool
from ws4py.websocket import EchoWebSocket


class Root:
    """The application: a page that says what this is, and the echo under /ws."""

    @cherrypy.expose  # type: ignore[untyped-decorator]
    def index(self) -> str:
        """Say what this is to whoever opens the address in a browser."""
        return "ws4py echo for the conformance suite"

    @cherrypy.expose  # type: ignore[untyped-decorator]
    def ws(self) -> None:
        """Return no page: the tool has answered the handshake."""


def start(log_file: str) -> int:
    """Start the engine and return the port it listens on."""
    cherrypy.config.update(
        {
            "server.socket_host": "127.0.0.1",
            "server.socket_port": 0,
            "engine.autoreload.on": False,
            "checker.on": False,
            "log.screen": False,
            "log.error_file": log_file,
        }
    )
    WebSocketPlugin(cherrypy.engine).subscribe()
    cherrypy.tools.websocket = WebSocketTool()
    echo = {
        "tools.websocket.on": True,
        "tools.websocket.handler_cls": EchoWebSocket,
        "tools.websocket.extensions": ["permessage-deflate"],
    }
    cherrypy.tree.mount(Root(), "/", config={"/ws": echo})
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    _host, port = cherrypy.server.bound_addr
    return int(port)


def main() -> None:
    """Serve until a signal ends the engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="file for the server's log")
    arguments = parser.parse_args()
    print(start(arguments.log), flush=True)
    cherrypy.engine.block()


if __name__ == "__main__":
    main()
