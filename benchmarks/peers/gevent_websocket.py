"""gevent-websocket on gevent's WSGI server."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from collections.abc import Callable, Iterable  # noqa: E402 - gevent wants to come first
from typing import Any  # noqa: E402

from gevent.pywsgi import WSGIServer  # noqa: E402
from geventwebsocket import WebSocketError  # noqa: E402
from geventwebsocket.handler import WebSocketHandler  # noqa: E402

from benchmarks.peers.common import BACKLOG, HOST, announce, broadcasts  # noqa: E402

connections: set[Any] = set()


def application(environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve one connection: PEP 3333, with the WebSocket in the environ."""
    own = environ["wsgi.websocket"]
    connections.add(own)
    try:
        while (message := own.receive()) is not None:
            binary = not isinstance(message, str)
            for each in list(connections) if to_all else (own,):
                each.send(message, binary)
    except WebSocketError:
        pass
    finally:
        connections.discard(own)
    return []


def main() -> None:
    """Serve until a signal ends the process."""
    server = WSGIServer(
        (HOST, 0), application, handler_class=WebSocketHandler, log=None, backlog=BACKLOG
    )
    server.start()
    announce(server.server_port)
    server.serve_forever()


to_all = broadcasts()

if __name__ == "__main__":
    main()
