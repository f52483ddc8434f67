"""WebSocket as a WSGI application, for any server that can hand over a socket.

The application judges the request, answers, and makes the handler. A server that
knows ws4py puts the socket into ``environ["ws4py.socket"]``, finds the handler in
``environ["ws4py.websocket"]`` and serves it; with the servers of
:mod:`ws4py.server._direct` the application takes the socket itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from http.client import responses
from typing import Any
from wsgiref.util import is_hop_by_hop

from ws4py import WS_VERSION
from ws4py._log import logger
from ws4py._settings import apply, checked
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.protocol.extensions import Extensions
from ws4py.protocol.handshake import Acceptance, Request, accept_request
from ws4py.protocol.headers import Headers
from ws4py.protocol.http11 import build_head
from ws4py.server._admission import Check, ask_manager, ask_program
from ws4py.server._default_manager import default_manager, made_manager
from ws4py.server._direct import take_socket
from ws4py.server._takeover import discard, extend, kept_environ, send_all
from ws4py.websocket import WebSocket

__all__ = ["WebSocketWSGIApplication", "serve_socket", "take_made"]

_SWITCHING = "101 Switching Protocols"
_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR
_CANNOT = (
    "this server cannot hand over a socket, so it cannot serve WebSocket; "
    "cheroot, gunicorn, Werkzeug, gevent and wsgiref can"
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class WebSocketWSGIApplication:
    """Answers upgrade requests and makes a handler for each.

    :param protocols: the sub-protocols that are served, most wanted first.
    :param extensions: what is spoken when a client offers it: ``"permessage-deflate"``, or
        a :class:`~ws4py.protocol.deflate.PerMessageDeflate` with its options.
    :param handler_cls: a class, or any callable, taking the socket, the chosen
        protocols, the extensions and the environ.
    :param origins: which pages may connect: ``None`` for those of this host, a
        list such as ``["https://example.org"]``, or ``"*"`` for all.
    :param version: the protocol versions that are accepted.
    :param manager: serves the websockets where the server brings no manager of its
        own; ``None`` for the one of this process.
    :param check: called with the environ of a request that is an acceptable handshake. It
        returns ``None`` to let it in; an HTTP status from 400 to 599, a pair of such a
        status and a reason, or raises :class:`~ws4py.exc.HandshakeError`, to refuse it.
    :param raise_errors: raise :class:`~ws4py.exc.HandshakeError`, as 0.6 did,
        instead of answering a refused request.
    :param settings: limits of these websockets, such as ``max_message_size``; the names
        are those of :class:`~ws4py._settings.Settings`.
    :raises TypeError: a setting that there is not, or that is no number.
    :raises ValueError: a negative setting.
    """

    def __init__(
        self,
        protocols: Sequence[str] | None = None,
        extensions: Extensions | None = None,
        handler_cls: Callable[..., Any] = WebSocket,
        *,
        origins: Iterable[str] | str | None = None,
        version: Iterable[int] = WS_VERSION,
        manager: WebSocketManager | None = None,
        check: Check | None = None,
        raise_errors: bool = False,
        **settings: Any,
    ) -> None:
        self.settings = checked(settings, type(self).__name__)
        self.protocols = protocols
        self.extensions = extensions
        self.handler_cls = handler_cls
        self.origins = origins
        self.version = version
        self.manager = manager
        self.check = check
        self.raise_errors = raise_errors

    def make_websocket(
        self, sock: Any, protocols: list[str], extensions: list[str], environ: Environ
    ) -> Any:
        """Make the handler and put it into the environ; override it to pass more.

        :param sock: the connected socket, or ``None`` where a server binds it later.
        :param protocols: the chosen sub-protocol in a list, or an empty list.
        :param environ: whatever the program put in reaches the handler's copy.
        """
        copied = kept_environ(environ)
        # Not the program's, and the handler would be in its own environ.
        copied.pop("ws4py.made", None)
        copied.pop("ws4py.manager", None)
        websocket = self.handler_cls(sock, protocols, extensions, copied)
        environ["ws4py.websocket"] = websocket
        return websocket

    def _make(self, sock: Any, accepted: Acceptance, environ: Environ) -> Any:
        """Make the handler, with the settings of this application however it was made."""
        websocket = self.make_websocket(sock, accepted.protocols, accepted.extensions, environ)
        apply(websocket, self.settings)
        return websocket

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request: PEP 3333.

        :raises HandshakeError: with ``raise_errors``, for a request that is refused.
        """
        try:
            accepted = self._judge(environ)
            ask_manager(self._manager_of(environ), environ)
            ask_program(self.check, environ)
        except HandshakeError as error:
            return self._refuse(error, environ, start_response)
        if "ws4py.socket" in environ:
            return self._leave_to_server(accepted, environ, start_response)
        return self._take_over(accepted, environ, start_response)

    def _judge(self, environ: Environ) -> Acceptance:
        request = _request_from(environ)
        try:
            return accept_request(
                request, self.protocols, self.extensions, self.version, self.origins
            )
        except HandshakeError as error:
            if error.status == HTTPStatus.UPGRADE_REQUIRED:
                environ["websocket.version"] = "13"
            log = logger.warning if error.status == HTTPStatus.FORBIDDEN else logger.info
            log("Refused a handshake for %.200r: %s", environ.get("PATH_INFO"), error)
            raise

    def _manager_of(self, environ: Environ) -> Any:
        """Who would serve this request's websocket; ``None`` where nobody knows yet."""
        if "ws4py.socket" in environ:
            return environ.get("ws4py.manager")
        # An empty one is false.
        return made_manager() if self.manager is None else self.manager

    def _refuse(
        self, error: HandshakeError, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a refused request and end its connection.

        Where the server is ours it does both; elsewhere the answer is written on the
        taken socket, since PEP 3333 does not let an application say "Connection: close".
        """
        if self.raise_errors:
            raise error
        # Of our own servers, for every request: they let an application say it.
        ours = "ws4py.made" in environ
        taken = None if ours or "ws4py.socket" in environ else take_socket(environ)
        if taken is None:
            return _answer(error, start_response, hops=ours)
        _answer_on(taken[0], error)
        start_response(_status(error), [])
        return []

    def _leave_to_server(
        self, accepted: Acceptance, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Make the handler and leave all else to a server that knows ws4py."""
        sock = environ["ws4py.socket"]
        try:
            websocket = self._make(sock, accepted, environ)
        except HandshakeError as error:
            return self._refuse(error, environ, start_response)
        # Frameworks that run an application inside a view give it a copy of the
        # environ, where the server would look for the websocket in vain.
        environ.get("ws4py.made", []).append(websocket)
        start_response(_SWITCHING, extend(websocket, accepted))
        return []

    def _take_over(
        self, accepted: Acceptance, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Take the socket, answer on it, and give the server a dead one to go on with."""
        taken = take_socket(environ)
        if taken is None:
            logger.error("%s: %s", environ.get("SERVER_SOFTWARE", "unknown server"), _CANNOT)
            error = HandshakeError(_CANNOT, HTTPStatus.NOT_IMPLEMENTED)
            return _answer(error, start_response, hops=False)
        sock, first_bytes = taken
        try:
            websocket = self._make(sock, accepted, environ)
        except HandshakeError as error:
            if self.raise_errors:
                discard(sock)
                raise
            _answer_on(sock, error)
            start_response(_status(error), [])
            return []
        except BaseException:
            _answer_on(sock, HandshakeError("the handler could not be made", _BROKEN))
            raise
        environ.pop("ws4py.websocket", None)
        try:
            send_all(sock, build_head(f"HTTP/1.1 {_SWITCHING}", extend(websocket, accepted)))
        except OSError as lost:
            logger.info("Connection lost during its handshake: %s", lost)
            discard(sock)
        else:
            serve_socket(websocket, first_bytes, self.manager)
        start_response(_SWITCHING, [])
        return []


def serve_socket(
    websocket: Any, first_bytes: bytes = b"", manager: WebSocketManager | None = None
) -> None:
    """Serve a websocket whose 101 has been sent: the door for servers ws4py does not know.

    :param websocket: a handler, made with a socket that nobody else reads, writes
        or closes from now on.
    :param first_bytes: what has been received behind the request already.
    :param manager: who is to serve it; ``None`` for the manager of this process.
    """
    if first_bytes:
        websocket.buf = first_bytes
    # An empty one is false.
    (default_manager() if manager is None else manager).add(websocket)


def take_made(environ: Environ) -> Any:
    """Server: take the websocket that an application made, or ``None``, out of the environ."""
    made = environ.pop("ws4py.made", [])
    return environ.pop("ws4py.websocket", None) or (made[0] if made else None)


def _request_from(environ: Environ) -> Request:
    fields = [
        (key[5:].replace("_", "-"), value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]
    if environ.get("CONTENT_LENGTH"):
        fields.append(("Content-Length", environ["CONTENT_LENGTH"]))
    host = environ.get("HTTP_HOST")
    origin = f"{environ.get('wsgi.url_scheme', 'http')}://{host}" if host else None
    version = str(environ.get("SERVER_PROTOCOL", "HTTP/1.0")).rpartition("/")[2].split(".")
    numbers = [int(part) if part.isdigit() else 0 for part in version]
    return Request(environ["REQUEST_METHOD"], (numbers[0], numbers[-1]), Headers(fields), origin)


def _answer(error: HandshakeError, start_response: StartResponse, hops: bool) -> Iterable[bytes]:
    """Have the server send the refusal.

    :param hops: the server lets an application set hop-by-hop fields, as our own do;
        PEP 3333 forbids them.
    """
    body, headers = _page(error)
    if hops:
        headers.append(("Connection", "close"))
    else:
        headers = [field for field in headers if not is_hop_by_hop(field[0])]
    start_response(_status(error), headers)
    return [body]


def _answer_on(sock: Any, error: HandshakeError) -> None:
    """Send the refusal on the taken socket, and end the connection."""
    body, headers = _page(error)
    head = build_head(f"HTTP/1.1 {_status(error)}", [*headers, ("Connection", "close")])
    try:
        send_all(sock, head + body)
    except OSError as lost:
        logger.debug("Connection lost while its handshake was refused: %s", lost)
    discard(sock)


def _page(error: HandshakeError) -> tuple[bytes, list[tuple[str, str]]]:
    body = f"{error.msg}\n".encode()
    described = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    return body, described + error.headers


def _status(error: HandshakeError) -> str:
    return f"{error.status} {responses.get(error.status, '')}"
