"""A wsgiref server of ours, served in a thread of the test's own process."""

import contextlib
import threading
from wsgiref.simple_server import make_server

from tests.support.raw import RawClient
from tests.support.tls import certificates
from tests.support.waiting import DEADLINE
from ws4py.server.wsgirefserver import WebSocketWSGIRequestHandler, WSGIServer


class Served:
    """A running server."""

    def __init__(self, server, tls) -> None:
        self.server = server
        self.tls = certificates().client_context() if tls else None
        self.thread = threading.Thread(target=server.serve_forever, args=(0.01,))

    def client(self) -> RawClient:
        return RawClient(self.server.server_address, self.tls)

    def connect(self, behind=b"", path="/ws", **changes) -> RawClient:
        client = self.client()
        response = client.upgrade(path, behind, **changes)
        assert response.status == 101, (response, client.body)
        return client

    def get(self) -> bytes:
        with self.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.read_response().status == 200
            assert client.at_end()
            return client.body

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(DEADLINE)


def make(application, kind=WSGIServer, handler=WebSocketWSGIRequestHandler, tls=False):
    """A server that listens."""
    server = make_server("127.0.0.1", 0, application, kind, handler)
    if tls:
        context = certificates().server_context()
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


@contextlib.contextmanager
def serving(application, kind=WSGIServer, handler=WebSocketWSGIRequestHandler, tls=False):
    """A server that serves in a thread, stopped and closed at the end."""
    with make(application, kind, handler, tls) as server:
        served = Served(server, tls)
        served.thread.start()
        try:
            yield served
        finally:
            served.stop()
