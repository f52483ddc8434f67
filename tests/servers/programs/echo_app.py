"""What every server of the battery serves: an echo at /ws, counts at /status, a page elsewhere."""

import json
import os
import threading

from ws4py.exc import HandshakeError
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

_gate = threading.Lock()
_counts = {"opened": 0, "closed": 0}


def count(name):
    with _gate:
        _counts[name] += 1


def status():
    return json.dumps({"pid": os.getpid(), **_counts}).encode()


def check(environ):
    """Refuse in the way that the query string names."""
    said = environ["QUERY_STRING"]
    if said == "elsewhere":
        raise HandshakeError("not here", 303, [("Location", "/login")])
    if said == "broken":
        raise ZeroDivisionError("a check's own mistake")
    return {"": None, "status": 401, "reason": (429, "not so fast"), "wrong": True}[said]


class CountedEcho(EchoWebSocket):
    def opened(self):
        count("opened")

    def closed(self, code, reason=None):
        count("closed")


websockets = WebSocketWSGIApplication(
    protocols=["echo"], extensions=["permessage-deflate"], handler_cls=CountedEcho
)

checked = WebSocketWSGIApplication(handler_cls=CountedEcho, check=check)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/ws":
        return websockets(environ, start_response)
    if path == "/checked":
        return checked(environ, start_response)
    body = status() if path == "/status" else b"hello"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
