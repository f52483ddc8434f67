"""WebSocket for gevent's WSGI server.

::

    from gevent import monkey; monkey.patch_all()
    from ws4py.server.geventserver import WSGIServer
    from ws4py.server.wsgiutils import WebSocketWSGIApplication
    from ws4py.websocket import EchoWebSocket

    server = WSGIServer(("localhost", 9000), WebSocketWSGIApplication(handler_cls=EchoWebSocket))
    server.serve_forever()

Callbacks run in greenlets and may block cooperatively. An idle websocket holds
none. The greenlet of the request ends with the handshake, so a pool that the
server spawns its requests from limits requests and not websockets; that is done by
``server.websockets = GEventWebSocketPool(size)``.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from typing import Any

import gevent
from gevent import pywsgi

from ws4py._log import logger
from ws4py.server._gevent_pool import GEventWebSocketPool
from ws4py.server._request_head import HeadLimits, HeadTooLargeError, MalformedHeadError
from ws4py.server._takeover import take_buffered
from ws4py.server.wsgiutils import WebSocketWSGIApplication, take_made

__all__ = [
    "GEventWebSocketPool",
    "WSGIServer",
    "WebSocketWSGIApplication",
    "WebSocketWSGIHandler",
]


# Of a client; gevent's own for a body that is no good is an OSError as well.
_LOST = (ConnectionError, TimeoutError, ssl.SSLError)

_END = "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LARGE = "431", f"HTTP/1.1 431 {http.client.responses[431]}{_END}".encode()
_MALFORMED = "400", f"HTTP/1.1 400 {http.client.responses[400]}{_END}".encode()
_TOO_LATE = "408", f"HTTP/1.1 408 {http.client.responses[408]}{_END}".encode()

_NOTHING = io.BytesIO()
_NOTHING.close()


class WebSocketWSGIHandler(pywsgi.WSGIHandler):
    """Handles a connection's requests; gives the socket away behind a 101."""

    server: Any
    socket: Any
    rfile: Any
    wsgi_input: Any

    # The time for the head at hand, and whether the client has begun with it.
    _patience: Any = gevent.Timeout(None)
    _begun = False

    def handle(self) -> None:
        """Handle the connection's requests."""
        reader = self.rfile
        # It has been running since the connection was accepted. On a connection that is
        # kept alive it is the request that begins.
        self._patience = self.server.patience_with(self.socket)
        try:
            super().handle()
        except OSError as error:
            # What an application raises does not come here: the client did not wait for
            # the answer to a bad request.
            logger.info("Connection lost: %s", error)
        finally:
            # Open, it would keep gevent's socket and its watchers as long as a program
            # keeps an environ.
            reader.close()

    def handle_one_request(self) -> Any:
        """Handle one request; 408, or nothing, is the answer to half of one."""
        self._begun = False
        try:
            return super().handle_one_request()
        except gevent.Timeout as late:
            if late is not self._patience:
                raise
            logger.info("No request of %s: its head was not complete in time", self.client_address)
            return _TOO_LATE if self._begun else None
        finally:
            self._patience.close()

    def read_requestline(self) -> Any:
        """Read the first line; the time runs from its first byte at the latest."""
        self._begun = bool(self.rfile.peek(1))
        if not self._patience.pending:
            self._patience = self.server.patience_with(self.socket)
        return super().read_requestline()

    def read_request(self, raw_requestline: Any) -> Any:
        """Read the rest of the head, within its limits."""
        reader = self.rfile
        try:
            self.rfile = HeadLimits(reader, raw_requestline.encode("latin-1"))
            return super().read_request(raw_requestline)
        finally:
            self.rfile = reader
            self._patience.close()

    def finalize_headers(self) -> None:
        """Finish the response's headers; a 101 has no Content-Length."""
        if self.code == 101:
            self.provided_content_length = "-"
        super().finalize_headers()

    def run_application(self) -> None:
        """Run the application, with the socket in ``ws4py.socket`` for upgrade requests."""
        environ: dict[str, Any] = self.environ
        environ["ws4py.made"] = []
        if "HTTP_UPGRADE" in environ:
            environ["ws4py.socket"] = self.socket
            environ["ws4py.manager"] = self.server.websockets
        try:
            super().run_application()
        finally:
            environ.pop("ws4py.socket", None)
            environ.pop("ws4py.manager", None)
            websocket = take_made(environ)
        if websocket is not None and self.code == 101 and self.headers_sent:
            self._hand_over(websocket)

    def handle_error(self, kind: Any, error: Any, traceback: Any) -> None:
        """Log an error and answer 500; that a client of TLS is gone is none."""
        if self.headers_sent and issubclass(kind, ssl.SSLError):
            logger.info("Connection lost: %s", error)
            self.close_connection = True
        else:
            super().handle_error(kind, error, traceback)

    def _handle_client_error(self, error: Any) -> Any:
        """Answer a bad request; ``None``, no answer, to a client that is gone."""
        if isinstance(error, _LOST):
            logger.info("Connection lost in the middle of a request: %s", error)
            return None
        if isinstance(error, (HeadTooLargeError, http.client.HTTPException)):
            logger.info("Refused a request of %s: %s", self.client_address, error)
            return _TOO_LARGE
        if isinstance(error, MalformedHeadError):
            logger.info("Refused a request of %s: %s", self.client_address, error)
            return _MALFORMED
        return super()._handle_client_error(error)

    def _hand_over(self, websocket: Any) -> None:
        sock, reader = self.socket, self.rfile
        first_bytes = take_buffered(reader, sock)
        if first_bytes:
            websocket.buf = first_bytes
        self.server.keep_open(sock)
        self.close_connection = True
        self.socket = None
        # It would keep the descriptor open, and some memory, as long as the handler has
        # its environ.
        reader.close()
        self.wsgi_input.rfile = _NOTHING
        pool = self.server.websockets
        try:
            if type(pool).track is GEventWebSocketPool.track:
                pool.serve(websocket)
            else:
                # The program's own, which may wait for the end in a greenlet.
                pool.track(websocket)
        except Exception:
            # There is nothing left that gevent could answer on, or would close.
            logger.exception("Cannot serve a websocket")
            sock.close()


class WSGIServer(pywsgi.WSGIServer):
    """gevent's WSGI server with websockets."""

    handler_class = WebSocketWSGIHandler
    pool: Any

    #: Seconds that a client has for the whole head of a request, the TLS handshake
    #: included; ``None`` for any time.
    open_timeout: float | None = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Those that began with TLS, until their first request is read.
        self._deadlines: dict[Any, float] = {}
        self._kept_open: set[Any] = set()
        self._own = GEventWebSocketPool()
        super().__init__(*args, **kwargs)
        if self.pool is None:
            self.pool = self._own

    @property
    def websockets(self) -> Any:
        """The pool that serves the websockets.

        It is ``pool`` as well, unless the server was given one that cannot track
        websockets to spawn its requests from.
        """
        return self.pool if hasattr(self.pool, "track") else self._own

    @websockets.setter
    def websockets(self, pool: Any) -> None:
        if hasattr(self.pool, "track"):
            self.pool = pool
        self._own = pool

    def keep_open(self, sock: Any) -> None:
        """Leave this socket alone when its requests are over."""
        self._kept_open.add(sock)

    def do_close(self, sock: Any, *args: Any) -> None:
        """Close a connection, unless it became a websocket."""
        if sock in self._kept_open:
            self._kept_open.discard(sock)
        else:
            super().do_close(sock, *args)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Handle a TLS connection, and close it unless it became a websocket."""
        sock = self._begin_tls(client_socket, address)
        if sock is None:
            return None
        try:
            return self.handle(sock, address)
        finally:
            self._deadlines.pop(sock, None)
            if sock in self._kept_open:
                self._kept_open.discard(sock)
            else:
                sock.close()

    def patience_with(self, sock: Any) -> gevent.Timeout:
        """Start the time that a client has for its request's head, or what TLS left of it."""
        seconds = self.open_timeout
        deadline = self._deadlines.pop(sock, None)
        if seconds is not None and deadline is not None:
            seconds = max(deadline - time.monotonic(), 0)
        return gevent.Timeout.start_new(seconds)

    def _begin_tls(self, client_socket: Any, address: Any) -> Any:
        """Return the TLS socket; ``None`` when the client did not come so far."""
        begun, sock = time.monotonic(), client_socket
        arguments = {**self.ssl_args, "do_handshake_on_connect": False}
        try:
            with gevent.Timeout(self.open_timeout):
                sock = self.wrap_socket(client_socket, **arguments)
                sock.do_handshake()
        except (OSError, gevent.Timeout) as error:
            # A client that vanished or speaks no TLS is not worth a traceback.
            logger.info("No TLS with %s: %s", address, error)
            sock.close()
            return None
        if self.open_timeout is not None:
            self._deadlines[sock] = begun + self.open_timeout
        return sock

    def start(self) -> None:
        """Start accepting connections; possible again after :meth:`stop`."""
        self.websockets.refusing = False
        super().start()

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Stop listening, close every websocket with 1001, then stop the server."""
        self.close()
        pool = self.websockets
        # Also of requests that are under way.
        pool.refusing = True
        pool.clear()
        super().stop(*args, **kwargs)
