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

import io
import ssl
from typing import Any

from gevent import pywsgi

from ws4py._log import logger
from ws4py.server._gevent_pool import GEventWebSocketPool
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

_NOTHING = io.BytesIO()
_NOTHING.close()


class WebSocketWSGIHandler(pywsgi.WSGIHandler):
    """Handles a connection's requests; gives the socket away behind a 101."""

    server: Any
    socket: Any
    wsgi_input: Any

    def handle(self) -> None:
        """Handle the connection's requests."""
        reader = self.rfile
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
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
        try:
            sock = self.wrap_socket(client_socket, **self.ssl_args)
        except OSError as error:
            # A client that vanished or speaks no TLS is not worth a traceback.
            logger.info("No TLS with %s: %s", address, error)
            client_socket.close()
            return None
        try:
            return self.handle(sock, address)
        finally:
            if sock in self._kept_open:
                self._kept_open.discard(sock)
            else:
                sock.close()

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
