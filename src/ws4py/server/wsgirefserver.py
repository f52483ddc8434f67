"""WebSocket for the standard library's wsgiref server.

::

    from wsgiref.simple_server import make_server
    from ws4py.server.wsgirefserver import WSGIServer, WebSocketWSGIRequestHandler
    from ws4py.server.wsgiutils import WebSocketWSGIApplication, take_made
    from ws4py.websocket import EchoWebSocket

    server = make_server("", 9000, server_class=WSGIServer,
                         handler_class=WebSocketWSGIRequestHandler,
                         app=WebSocketWSGIApplication(handler_cls=EchoWebSocket))
    server.initialize_websockets_manager()
    server.serve_forever()

Nothing outside this module's classes is changed. wsgiref serves one request after
the other; mix in :class:`socketserver.ThreadingMixIn` where a slow client must not
hold up the next. Websockets are served by a manager in either case.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref import simple_server
from wsgiref.handlers import SimpleHandler
from wsgiref.util import is_hop_by_hop

from ws4py._engine.turn_away import turn_away
from ws4py._log import logger
from ws4py._transport import is_tls
from ws4py._wire.codes import GOING_AWAY
from ws4py.manager import WebSocketManager
from ws4py.server._request_head import (
    MAX_LINE,
    HeadLimits,
    HeadTooLargeError,
    MalformedHeadError,
    PatientReader,
)
from ws4py.server._takeover import discard, take_buffered
from ws4py.server.wsgiutils import WebSocketWSGIApplication, take_made

__all__ = [
    "WSGIServer",
    "WebSocketWSGIApplication",
    "WebSocketWSGIHandler",
    "WebSocketWSGIRequestHandler",
]

_LOST = (ConnectionError, TimeoutError, ssl.SSLError)


class WebSocketWSGIHandler(simple_server.ServerHandler):
    """Runs the application for one request; hands the socket over behind a 101."""

    request_handler: Any
    # wsgiref's own attributes, which its type stubs leave out or tie to None.
    environ: Any
    headers: Any
    headers_sent: bool
    result: Any
    status: Any

    def setup_environ(self) -> None:
        """Make the environ, with the socket in ``ws4py.socket``."""
        connection = self.request_handler.connection
        if is_tls(connection):
            self.base_env["HTTPS"] = "on"
        super().setup_environ()
        self.environ["ws4py.socket"] = connection
        self.environ["ws4py.made"] = []
        # Made by the first websocket otherwise, before which nobody is served.
        self.environ["ws4py.manager"] = getattr(self.request_handler.server, "manager", None)
        self.http_version = self.environ["SERVER_PROTOCOL"].rpartition("/")[2]

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """See PEP 3333.

        A 101 is nothing without its hop-by-hop fields, and a refusal is nothing
        without ``Connection: close``; wsgiref lets no application set them.
        """
        hops = [field for field in headers if is_hop_by_hop(field[0])]
        ends = [field for field in headers if not is_hop_by_hop(field[0])]
        write = super().start_response(status, ends, exc_info)
        for name, value in hops:
            self.headers.add_header(name, value)
        return write

    def send_headers(self) -> None:
        """Send the head; one connection serves one request, and the client is told."""
        if not self._is_switching():
            self.headers.setdefault("Connection", "close")
        super().send_headers()

    def finish_content(self) -> None:
        """Send the head if nothing has; a 101 has no Content-Length."""
        if self._is_switching() and not self.headers_sent:
            self.headers_sent = True
            self.send_preamble()
            self._write(bytes(self.headers))
            self._flush()
        else:
            super().finish_content()

    def finish_response(self) -> None:
        """Send the response; then give the socket away if it was the 101."""
        # The application of a lazy middleware runs when its first item is asked for.
        self.result = _Started(self.result)
        environ: dict[str, Any] = self.environ or {}
        environ.pop("ws4py.socket", None)
        environ.pop("ws4py.manager", None)
        websocket = take_made(environ)
        switching = self._is_switching()
        # Sets environ, headers and status to None.
        super().finish_response()
        if websocket is not None and switching:
            self.request_handler.hand_over(websocket)

    def handle_error(self) -> None:
        """Log an error and answer 500.

        That the client is gone is not worth a traceback, and that the program is to
        end is no error.
        """
        error = sys.exc_info()[1]
        if not isinstance(error, Exception):
            raise  # noqa: PLE0704 - wsgiref calls this in its `except`
        if self.headers_sent and isinstance(error, _LOST):
            logger.info("Connection lost: %s", error)
            self.close()
        else:
            super().handle_error()

    def close(self) -> None:
        """Close the result and forget the request."""
        if self.status is None:
            # There is no response whose status could be logged, which wsgiref overlooks.
            SimpleHandler.close(self)
        else:
            super().close()

    def _is_switching(self) -> bool:
        return str(self.status).startswith("101")


class WebSocketWSGIRequestHandler(simple_server.WSGIRequestHandler):
    """Reads one request and has it handled."""

    #: Makes the handler of a request; the override point for subclasses.
    WebSocketWSGIHandler = WebSocketWSGIHandler

    #: Seconds for one read of the request, its body included.
    timeout = 10.0

    def setup(self) -> None:
        """Begin with the connection; the time for the request's head is running."""
        super().setup()
        self.rfile.close()
        patience = getattr(self.server, "open_timeout", None)
        self._raw = PatientReader(self.connection, self.timeout, patience)
        self.rfile = io.BufferedReader(self._raw)

    def handle(self) -> None:
        """Serve the request."""
        # For answers to what was no request, or not yet.
        self.requestline = self.request_version = self.command = ""
        try:
            complete = self._read_head()
        except TimeoutError as error:
            logger.info("No request of %s: %s", self.client_address, error)
            self._raw.head_is_read()
            if self._raw.begun:
                self.send_error(408)
            return
        self._raw.head_is_read()
        if not complete:
            return
        streams: tuple[Any, Any] = (self.rfile, self.wfile)
        handler = self.WebSocketWSGIHandler(
            *streams,
            self.get_stderr(),
            self.get_environ(),
            multithread=isinstance(self.server, socketserver.ThreadingMixIn),
        )
        handler.request_handler = self
        handler.run(self.server.get_app())  # type: ignore[attr-defined]  # a WSGI server

    def _read_head(self) -> bool:
        """Read the request's head; ``False`` when it was none, which has been answered."""
        self.raw_requestline = self.rfile.readline(MAX_LINE + 1)
        if len(self.raw_requestline) > MAX_LINE:
            self.send_error(414)
            return False
        reader: Any = self.rfile
        try:
            self.rfile = HeadLimits(reader, self.raw_requestline)  # type: ignore[assignment]
            return self.parse_request()
        except HeadTooLargeError as error:
            self.send_error(431, explain=str(error))
            return False
        except MalformedHeadError as error:
            self.send_error(400, explain=str(error))
            return False
        finally:
            self.rfile = reader

    def hand_over(self, websocket: Any) -> None:
        """Give the socket to the server's manager, which keeps it."""
        server: Any = self.server
        first_bytes = take_buffered(self.rfile, self.connection)
        if first_bytes:
            websocket.buf = first_bytes
        server.keep_open(self.request)
        try:
            server.link_websocket_to_server(websocket)
        except Exception:
            # The server will not close it any more.
            self.request.close()
            raise


class WSGIServer(simple_server.WSGIServer):
    """A wsgiref server with a manager for its websockets."""

    #: A :class:`~ws4py.manager.WebSocketManager`, or ``None`` while there is none.
    manager: WebSocketManager | None = None

    #: Seconds that a client has for the whole head of its request, the TLS handshake
    #: included; ``None`` for any time.
    open_timeout: float | None = 10.0

    _closed = False

    def __init__(
        self,
        server_address: Any,
        RequestHandlerClass: Any,  # noqa: N803 - socketserver's name
        bind_and_activate: bool = True,
    ) -> None:
        self._kept_open: set[Any] = set()
        # With ThreadingMixIn the first websockets may come at once, and while it closes.
        self._gate = threading.RLock()
        super().__init__(server_address, RequestHandlerClass, bind_and_activate)

    def initialize_websockets_manager(self) -> None:
        """Make the manager and start it; done by the first websocket otherwise."""
        with self._gate:
            if self.manager is None:
                self.manager = WebSocketManager()
                self.manager.start()

    def link_websocket_to_server(self, ws: Any) -> None:
        """Serve a websocket whose handshake is complete."""
        with self._gate:
            if not self._closed:
                self.initialize_websockets_manager()
            manager = self.manager
        if manager is None:
            turn_away(ws.sock, GOING_AWAY, "Server is shutting down")
        else:
            manager.add(ws)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; the TLS handshake is left to whoever reads it first.

        Otherwise a client that connects and says nothing would stop ``accept``.
        """
        listener: Any = self.socket
        if is_tls(listener):
            listener.do_handshake_on_connect = False
        return super().get_request()

    def keep_open(self, request: Any) -> None:
        """Leave this socket alone when its request is over."""
        self._kept_open.add(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection whose request is over, unless it became a websocket."""
        if request in self._kept_open:
            self._kept_open.discard(request)
            return
        # With something unread the kernel would destroy the response on its way.
        with contextlib.suppress(OSError):
            discard(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error; a client that vanished or speaks no TLS is not worth a traceback."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logger.info("Connection of %s lost: %s", client_address, error)
        else:
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Close every websocket with 1001 and everything else, within a bounded time."""
        with self._gate:
            self._closed = True
            manager = self.manager
        if manager is not None:
            manager.refuse()
        # Waits for the threads of requests, whose websockets are refused.
        super().server_close()
        if manager is not None:
            manager.stop()
            manager.join()
            self.manager = None


class _Started:
    """An iterable whose first item has been asked for; closes what it was made of."""

    def __init__(self, result: Iterable[bytes]) -> None:
        self._result = result
        rest = iter(result)
        first = list(itertools.islice(rest, 1))
        self._items = itertools.chain(first, rest)

    def __iter__(self) -> Iterator[bytes]:
        return self._items

    def close(self) -> None:
        close = getattr(self._result, "close", None)
        if close is not None:
            close()
