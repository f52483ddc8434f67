"""wsgiref, with --threads one thread for each request."""

import signal
import socketserver
import threading
from wsgiref.simple_server import make_server

from common import announce, arguments, server_context
from echo_app import application
from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    pass


if __name__ == "__main__":
    options = arguments()
    kind = ThreadedServer if options.threads else WSGIServer
    server = make_server("127.0.0.1", 0, application, kind, WebSocketWSGIRequestHandler)
    context = server_context(options)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    # From another thread, since this one waits for the end of serve_forever(); and not
    # SystemExit, which would come up in whatever the server is at, a handler included.
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    with server:
        announce(server.server_port)
        server.serve_forever()
