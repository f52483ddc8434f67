"""gevent's WSGI server with the handlers of the chaos suite."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import contextlib  # noqa: E402
import logging  # noqa: E402 - gevent wants to come first
import signal  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import gevent.event  # noqa: E402
from gevent.fileobject import FileObject  # noqa: E402

from chaos.servers.control import Control, options  # noqa: E402
from chaos.servers.handlers import EXTENSIONS, PATHS  # noqa: E402
from ws4py.exc import ConnectionClosed  # noqa: E402
from ws4py.server.geventserver import WebSocketWSGIApplication, WSGIServer  # noqa: E402

#: Many connect at once; a short queue would measure the kernel's retries.
BACKLOG = 1024


class Application:
    """The application: an ordinary page, and the websockets."""

    def __init__(self) -> None:
        self._websockets = {
            f"/{path}": WebSocketWSGIApplication(
                handler_cls=handler, extensions=EXTENSIONS.get(path)
            )
            for path, handler in PATHS.items()
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one request."""
        websocket = self._websockets.get(environ["PATH_INFO"])
        if websocket is not None:
            return websocket(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
        return [b"hello"]


class Service:
    """The server, as the control channel sees it."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server

    def port(self) -> int:
        """Return where it listens."""
        return int(self._server.server_port)

    def websockets(self) -> list[Any]:
        """Return those it serves."""
        return list(self._server.websockets.websockets)

    def broadcast(self, message: bytes) -> None:
        """Send to all."""
        pool = self._server.websockets
        if hasattr(pool, "broadcast"):
            pool.broadcast(message, True)
            return
        for websocket in list(pool.websockets):
            # One that is about to end is not to stop it for the others.
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                websocket.send(message, True)

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.start()

    def restart(self) -> None:
        """Gevent's server has nothing of the kind."""
        raise NotImplementedError


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(level=logging.WARNING)
    chosen = options()
    secret = {}
    if chosen.tls:
        secret = {
            "certfile": f"{chosen.tls}/server.pem",
            "keyfile": f"{chosen.tls}/server.key",
        }
    server = WSGIServer(
        ("127.0.0.1", chosen.port), Application(), log=None, backlog=BACKLOG, **secret
    )
    server.open_timeout = chosen.settings["open_timeout"]
    # Callbacks run in greenlets here, as many as are needed.
    chosen.manager.pop("workers", None)
    for name, value in chosen.manager.items():
        setattr(server.websockets, name, value)
    ended = gevent.event.Event()
    gevent.signal_handler(signal.SIGTERM, ended.set)
    server.start()
    # Reading it must let the hub go on.
    Control(Service(server), FileObject(0, "r")).announce()
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
