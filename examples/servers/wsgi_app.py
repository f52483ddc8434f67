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
    body = b"open a WebSocket to /ws\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def serve_by_wsgiref(port):
    import threading
    from wsgiref.simple_server import make_server

    from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer

    server = make_server("127.0.0.1", port, application, WSGIServer, WebSocketWSGIRequestHandler)
    # wsgiref calls the application on this thread, where a signal's SystemExit could
    # come up in the middle of it.
    end = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: end.start())
    with server:
        server.serve_forever()


def serve_by_gevent(port):
    import gevent

    from ws4py.server.geventserver import WSGIServer

    server = WSGIServer(("127.0.0.1", port), application)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.serve_forever()


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
