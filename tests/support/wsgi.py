"""Calling a WSGI application without any server."""

import base64
import os

KEY = base64.b64encode(bytes(range(16))).decode()


def environ_of(method="GET", protocol="HTTP/1.1", **changes) -> dict:
    """The environ of a good upgrade request; ``None`` takes a key out."""
    environ = {
        "REQUEST_METHOD": method,
        "SERVER_PROTOCOL": protocol,
        "PATH_INFO": "/ws",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "example.org",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(os.urandom(16)).decode(),
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
    }
    environ.update(changes)
    return {key: value for key, value in environ.items() if value is not None}


class Started:
    """A ``start_response`` that keeps what it was told."""

    def __init__(self) -> None:
        self.status = None
        self.headers = None

    def __call__(self, status, headers, exc_info=None):
        assert self.status is None, "called twice"
        self.status, self.headers = status, headers

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


def call(application, environ):
    """The response and its body."""
    started = Started()
    body = b"".join(application(environ, started))
    return started, body
