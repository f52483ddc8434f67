"""HTTP and WebSocket in one plain WSGI application, under five servers.

python examples/servers/wsgi_app.py wsgiref|gevent|cheroot|werkzeug [PORT]
gunicorn --chdir examples/servers -k sync wsgi_app:application
"""

import signal
import sys

from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

websockets = WebSocketWSGIApplication(handler_cls=EchoWebSocket)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/ws":
        return websockets(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "24")])
    return [b"open a WebSocket to /ws\n"]


def serve_by_wsgiref(port):
    from wsgiref.simple_server import make_server

    from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer

    server = make_server("127.0.0.1", port, application, WSGIServer, WebSocketWSGIRequestHandler)
    with server:
        server.serve_forever()


def serve_by_gevent(port):
    from ws4py.server.geventserver import WSGIServer

    server = WSGIServer(("127.0.0.1", port), application)
    try:
        server.serve_forever()
    finally:
        server.stop()


def serve_by_cheroot(port):
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), application).safe_start()


def serve_by_werkzeug(port):
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, application, threaded=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server_name, *rest = sys.argv[1:] or ["wsgiref"]
    globals()[f"serve_by_{server_name}"](int(rest[0]) if rest else 9000)
