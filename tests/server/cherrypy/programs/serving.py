"""What the programs have in common: an echo at ``/ws`` that tells what happens to it."""

import itertools
import os
import signal
import sys

import cherrypy

from ws4py.server.cherrypyserver import WebSocketTool
from ws4py.websocket import EchoWebSocket


def tell(line) -> None:
    """Print a line in one piece, from whatever thread."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


_NUMBERS = itertools.count(1)


class Told(EchoWebSocket):
    """Echoes, and obeys two commands."""

    def opened(self) -> None:
        self.number = next(_NUMBERS)
        tell(f"opened {self.number}")

    def received_message(self, message) -> None:
        command = str(message) if message.is_text else None
        if command == "exit":
            cherrypy.engine.exit()
        elif command == "restart":
            cherrypy.engine.restart()
        else:
            super().received_message(message)

    def closed(self, code, reason=None) -> None:
        tell(f"closed {self.number} {code}")


class Root:
    @cherrypy.expose
    def index(self):
        return "hello"

    @cherrypy.expose
    def ws(self):
        """The page behind the upgrade."""


def serve(plugin, **settings) -> None:
    """Run until told to end."""
    # A shell gives its background processes a SIGINT that does nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cherrypy.config.update(
        {
            "server.socket_port": 0,
            "server.socket_queue_size": 256,
            "engine.autoreload.on": False,
            **settings,
        }
    )
    cherrypy.tools.websocket = WebSocketTool()
    plugin(cherrypy.engine).subscribe()
    config = {"/ws": {"tools.websocket.on": True, "tools.websocket.handler_cls": Told}}
    cherrypy.quickstart(Root(), "/", config)
