"""An application for gevent's server, and what it saw."""

from gevent.event import Event

from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import WebSocket


class Log:
    """What a test's application saw."""

    def __init__(self) -> None:
        self.environs = []
        self.handlers = []
        self.closed = []


def application_of(handler_cls, log=None, **settings):
    """Pages and, at /ws, websockets."""
    log = log or Log()

    def make(*arguments):
        log.handlers.append(handler_cls(*arguments))
        return log.handlers[-1]

    websockets = WebSocketWSGIApplication(handler_cls=make, **settings)

    def application(environ, start_response):
        log.environs.append((environ, "ws4py.socket" in environ))
        if environ["PATH_INFO"] == "/ws":
            return websockets(environ, start_response)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    return application


class Waiting(WebSocket):
    """Waits for an event in its first callback, while others go on."""

    def opened(self):
        self.go_on = Event()
        self.running = 0

    def received_message(self, message):
        self.running += 1
        assert self.running == 1
        if message.data == b"wait":
            self.go_on.wait()
        self.send(message.data)
        self.running -= 1
