"""simple-websocket under Werkzeug's threaded server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from simple_websocket import ConnectionClosed, Server
from werkzeug.serving import make_server

from benchmarks.peers.common import HOST, announce, broadcasts, listener

connections: set[Any] = set()


def application(environ: dict[str, Any], _start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve one connection: PEP 3333."""
    own = Server.accept(environ)
    connections.add(own)
    try:
        while True:
            message = own.receive()
            for each in list(connections) if to_all else (own,):
                each.send(message)
    except ConnectionClosed:
        pass
    finally:
        connections.discard(own)
    # What Werkzeug understands as: there is nobody to answer to.
    raise ConnectionResetError


def main() -> None:
    """Serve until a signal ends the process."""
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    sock = listener()
    port = sock.getsockname()[1]
    server = make_server(HOST, port, application, threaded=True, fd=sock.fileno())
    announce(port)
    server.serve_forever()


to_all = broadcasts()

if __name__ == "__main__":
    main()
