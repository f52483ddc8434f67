"""WebSocket in a Flask application, under Werkzeug's development server or gunicorn.

python examples/servers/flask_app.py [PORT]
gunicorn --chdir examples/servers -k gthread flask_app:app
"""

import signal
import sys

from flask import Flask, request

from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import WebSocket

app = Flask(__name__)


class Greeter(WebSocket):
    def opened(self):
        self.send(f"hello {self.environ['example.user']}")

    def received_message(self, message):
        self.send(message.data, message.is_binary)


greeter = WebSocketWSGIApplication(handler_cls=Greeter)


@app.route("/")
def index():
    return "open a WebSocket to /ws?name=you"


# Without websocket=True Flask answers upgrade requests with 400; with it, all others.
@app.route("/ws", websocket=True)
def ws():
    # Sessions, cookies and log-ins are at hand here; what is put into the environ
    # reaches the handler.
    request.environ["example.user"] = request.args.get("name", "stranger")
    return greeter


if __name__ == "__main__":
    # A development server ends without cleaning up on SIGTERM, unless it is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(port=int(sys.argv[1]) if len(sys.argv) > 1 else 9000)
