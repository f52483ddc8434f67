"""WebSocket in a Bottle application, under gevent's server.

python examples/servers/bottle_app.py [PORT]
"""

import signal
import sys

import bottle
import gevent

from ws4py.server.geventserver import WSGIServer
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

app = bottle.Bottle()


@app.route("/")
def index():
    return "open a WebSocket to /ws/"


app.mount("/ws/", WebSocketWSGIApplication(handler_cls=EchoWebSocket))

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = WSGIServer(("127.0.0.1", port), app)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.serve_forever()
