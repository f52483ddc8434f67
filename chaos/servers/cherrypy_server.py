"""CherryPy with the handlers of the chaos suite."""

from __future__ import annotations

import logging
from typing import Any

import cherrypy

from chaos.servers.control import Control, options
from chaos.servers.handlers import EXTENSIONS, PATHS
from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool

#: Many connect at once; a short queue would measure the kernel's retries.
BACKLOG = 1024


class Root:
    """The application: an ordinary page, and the websockets."""

    @cherrypy.expose  # type: ignore[untyped-decorator]
    def index(self) -> str:
        """Return the page that the witnesses ask for."""
        return "hello"

    @cherrypy.expose  # type: ignore[untyped-decorator]
    def default(self, *path: str) -> str:
        """Return no page: the tool has answered the handshake."""
        return ""


class Service:
    """CherryPy's engine, as the control channel sees it."""

    def __init__(self, plugin: WebSocketPlugin) -> None:
        self._plugin = plugin

    def port(self) -> int:
        """Return where it listens."""
        return int(cherrypy.server.bound_addr[1])

    def websockets(self) -> list[Any]:
        """Return those it serves."""
        return list(self._plugin.manager)

    def broadcast(self, message: bytes) -> None:
        """Send to all, as the documentation says."""
        cherrypy.engine.publish("websocket-broadcast", message, True)

    def stop(self) -> None:
        """Stop the engine."""
        cherrypy.engine.stop()

    def start(self) -> None:
        """Start the engine again."""
        cherrypy.engine.start()

    def restart(self) -> None:
        """Have the engine's main thread replace the process, as the autoreloader does."""
        cherrypy.engine.restart()


def main() -> None:
    """Serve until a signal ends the engine."""
    chosen = options()
    cherrypy.config.update(
        {
            "server.socket_host": "127.0.0.1",
            "server.socket_port": chosen.port,
            "server.socket_queue_size": BACKLOG,
            "engine.autoreload.on": False,
            "checker.on": False,
            "log.screen": False,
        }
    )
    cherrypy.log.error_log.addHandler(logging.StreamHandler())
    if chosen.tls:
        cherrypy.config.update(
            {
                "server.ssl_module": "builtin",
                "server.ssl_certificate": f"{chosen.tls}/server.pem",
                "server.ssl_private_key": f"{chosen.tls}/server.key",
            }
        )
    plugin = WebSocketPlugin(cherrypy.engine, **chosen.manager)
    plugin.subscribe()
    cherrypy.tools.websocket = WebSocketTool()
    config = {
        f"/{path}": {
            "tools.websocket.on": True,
            "tools.websocket.handler_cls": handler,
            **({"tools.websocket.extensions": EXTENSIONS[path]} if path in EXTENSIONS else {}),
        }
        for path, handler in PATHS.items()
    }
    cherrypy.tree.mount(Root(), "/", config=config)
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    Control(Service(plugin)).announce()
    cherrypy.engine.block()


if __name__ == "__main__":
    main()
