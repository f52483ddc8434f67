"""wsgiref with one echoing WebSocket, the server under test of a conformance run.

See cherrypy_server.py for what it has to keep to.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from wsgiref.simple_server import make_server

from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="file for the server's log")
    logging.basicConfig(filename=parser.parse_args().log, level=logging.INFO)
    application = WebSocketWSGIApplication(
        extensions=["permessage-deflate"], handler_cls=EchoWebSocket
    )
    server = make_server(
        "127.0.0.1",
        0,
        application,
        server_class=WSGIServer,
        handler_class=WebSocketWSGIRequestHandler,
    )
    # From another thread, since this one waits for the end of serve_forever().
    end = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: end.start())
    with server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
