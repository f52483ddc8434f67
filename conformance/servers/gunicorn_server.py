"""gunicorn (gthread) with one echoing WebSocket, the server under test of a conformance run.

See cherrypy_server.py for what it has to keep to.
"""

from __future__ import annotations

import argparse
from typing import Any

from gunicorn.app.base import BaseApplication

from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

# The other servers have the defaults; this one remembers what it sent and received, and compresses
# the smallest messages as well.
COMPRESSION = PerMessageDeflate(
    server_no_context_takeover=False,
    client_no_context_takeover=False,
    server_max_window_bits=15,
    client_max_window_bits=15,
    mem_level=8,
    threshold=0,
)


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn's classes have no types
    """gunicorn's own way to be started by a program."""

    def __init__(self, log_file: str) -> None:
        self._settings = {
            "bind": "127.0.0.1:0",
            "worker_class": "gthread",
            "threads": 4,
            "errorlog": log_file,
            "when_ready": _announce,
        }
        super().__init__()

    def load_config(self) -> None:
        """Take our settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)
        # It would be one for all of a user's, and older releases have none.
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", value=True)

    def load(self) -> WebSocketWSGIApplication:
        """Return the application, in the worker."""
        return WebSocketWSGIApplication(extensions=COMPRESSION, handler_cls=EchoWebSocket)


def _announce(arbiter: Any) -> None:
    print(arbiter.LISTENERS[0].sock.getsockname()[1], flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="file for the server's log")
    Application(parser.parse_args().log).run()


if __name__ == "__main__":
    main()
