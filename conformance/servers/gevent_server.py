"""gevent's WSGI server with one echoing WebSocket, the server under test of a conformance run.

See cherrypy_server.py for what it has to keep to.
"""

from __future__ import annotations

import argparse
import logging
import signal

import gevent

from ws4py.server.geventserver import WSGIServer
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
    server = WSGIServer(("127.0.0.1", 0), application)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
