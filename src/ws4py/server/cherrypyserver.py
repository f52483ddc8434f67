"""WebSocket for CherryPy: a tool that upgrades requests, a plugin that serves them.

::

    import cherrypy
    from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool
    from ws4py.websocket import EchoWebSocket

    WebSocketPlugin(cherrypy.engine).subscribe()
    cherrypy.tools.websocket = WebSocketTool()

    class Root:
        @cherrypy.expose
        def ws(self):
            cherrypy.log(f"handler: {cherrypy.request.ws_handler!r}")

    cherrypy.quickstart(Root(), "/", {"/ws": {
        "tools.websocket.on": True,
        "tools.websocket.handler_cls": EchoWebSocket,
    }})

The tool judges the request and makes the handler before the page handler runs,
so the page handler can look at ``cherrypy.request.ws_handler`` or refuse. The
socket is taken over only when the response that went out was the 101; whatever
else goes out ends the connection. CherryPy's worker thread is free then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import cherrypy
from cherrypy.process import plugins
from cherrypy.process.wspbus import ChannelFailures

from ws4py import WS_VERSION
from ws4py._log import logger
from ws4py._settings import apply, checked
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.protocol.extensions import Extensions
from ws4py.protocol.handshake import Acceptance, Request, accept_request
from ws4py.protocol.headers import Headers
from ws4py.server._admission import Check, ask_manager, ask_program, is_redirect
from ws4py.server._cheroot import (
    current_connection,
    end_behind_response,
    is_ending,
    note_peer,
    swap,
)
from ws4py.server._takeover import discard, extend, kept_environ
from ws4py.websocket import WebSocket

__all__ = ["CherryPyHandshakeError", "WebSocketPlugin", "WebSocketTool"]

_FORBIDDEN = 403
#: How long a callback may hold up the engine's stop, beside what the peers may take.
_CALLBACK_SECONDS = 5.0
_UPGRADE_HEADERS = (
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
)
# CherryPy writes "Sec-Websocket-…".
_SPELLING = {
    name.lower().encode(): name.encode()
    for name in (*_UPGRADE_HEADERS, "Sec-WebSocket-Version")
    if name.startswith("Sec-")
}


class CherryPyHandshakeError(HandshakeError, cherrypy.HTTPError):
    """A refused handshake, as an HTTP error that CherryPy answers by itself."""

    def __init__(self, error: HandshakeError) -> None:
        HandshakeError.__init__(self, error.msg, error.status, error.headers)
        elsewhere = is_redirect(error)
        # Of a redirect CherryPy's own class makes its own Location, and drops all other fields.
        cherrypy.HTTPError.__init__(self, _FORBIDDEN if elsewhere else error.status, error.msg)
        if elsewhere:
            self.status = self.code = error.status

    def set_response(self) -> None:
        """Put status, message and header fields into CherryPy's response."""
        super().set_response()
        for name, value in self.headers:
            cherrypy.serving.response.headers[name] = value

    def get_error_page(self, *arguments: Any, **keywords: Any) -> Any:
        """The error page; the traceback of a refusal is of interest to nobody."""
        return super().get_error_page(*arguments, **{**keywords, "traceback": ""})


class WebSocketTool(cherrypy.Tool):
    """Upgrades the requests of a path.

    Every argument of :meth:`upgrade` is a configuration entry, for example
    ``tools.websocket.handler_cls``.
    """

    def __init__(self) -> None:
        # Behind the sessions tool (50), whatever the order in the configuration: the
        # handler's constructor may want the session.
        super().__init__("before_request_body", self.upgrade, priority=60)

    def _setup(self) -> None:
        conf = self._merged_args()
        hooks = cherrypy.serving.request.hooks
        priority = conf.pop("priority", getattr(self.callable, "priority", self._priority))
        hooks.attach(self._point, self.callable, priority=priority, **conf)
        # Behind etags (75) and gzip (80), which may still change the response.
        hooks.attach("before_finalize", self.complete, failsafe=True, priority=95)
        # The only hook point that is run when a page handler fails with a 500.
        hooks.attach("before_error_response", self.abandon, failsafe=True)
        hooks.attach("on_end_resource", self.cleanup_headers, failsafe=True, priority=70)
        hooks.attach("on_end_request", self.start_handler, failsafe=True, priority=70)

    def upgrade(
        self,
        protocols: Sequence[str] | None = None,
        extensions: Extensions | None = None,
        version: Iterable[int] = WS_VERSION,
        handler_cls: Callable[..., Any] = WebSocket,
        heartbeat_freq: float | None = None,
        origins: Iterable[str] | str | None = None,
        check: Check | None = None,
        **settings: Any,
    ) -> None:
        """Judge the request, prepare the 101, and make the handler.

        :param protocols: the sub-protocols of this path, most wanted first. One
            that the client offers as well is chosen; a client that offers only
            others is refused.
        :param extensions: ``"permessage-deflate"``, or a
            :class:`~ws4py.protocol.deflate.PerMessageDeflate` with its options.
        :param version: the protocol versions that are accepted.
        :param handler_cls: a class, or any callable, that takes the socket, the
            chosen protocols, extensions, the environ, and ``heartbeat_freq``.
        :param heartbeat_freq: seconds between pings, ``None`` or 0 for none.
        :param origins: which pages may connect: ``None`` for those of this host,
            a list such as ``["https://example.org"]``, or ``"*"`` for all.
        :param check: says who may come in; see :data:`ws4py.server._admission.Check`.
        :param settings: limits of this path, such as ``max_message_size``; the names are
            those of :class:`~ws4py._settings.Settings`.
        :raises CherryPyHandshakeError: the request is no acceptable handshake, or is refused.
        :raises TypeError: a setting that there is not, or that is no number.
        """
        given = checked(settings, "tools.websocket") if settings else {}
        request, response = cherrypy.serving.request, cherrypy.serving.response
        connection = current_connection()
        if connection is None:
            raise cherrypy.HTTPError(501, "only CherryPy's own HTTP server can hand over a socket")
        accepted = _judge(request, protocols, extensions, version, origins)
        _admit(request, check)
        request.ws_handler = handler_cls(
            connection.socket,
            accepted.protocols,
            accepted.extensions,
            kept_environ(request.wsgi_environ),
            heartbeat_freq=heartbeat_freq,
        )
        apply(request.ws_handler, given)
        # Last, so that a constructor that raises leaves no trace in the answer.
        response.status = "101 Switching Protocols"
        for name, value in extend(request.ws_handler, accepted):
            response.headers[name] = value
        request.ws_written = connection.wfile.bytes_written

    def complete(self) -> None:
        """Finish the response's headers: a clean 101, or none at all."""
        request, response = cherrypy.serving.request, cherrypy.serving.response
        if not str(response.status).startswith("101"):
            self.abandon()
            return
        if getattr(request, "ws_handler", None) is None:
            raise cherrypy.HTTPError(500, "there is no handler for this websocket")
        # A page handler's return value must not follow the 101 as raw bytes.
        for name in ("Content-Type", "Content-Length", "Content-Encoding"):
            response.headers.pop(name, None)
        response.stream = False
        response.body = []

    def abandon(self) -> None:
        """Something else than the 101 is the answer: forget the handler.

        The connection ends with that answer, so that no byte which the client
        takes for a frame is ever taken for anything (a proxy may think that the
        upgrade has happened).
        """
        request, response = cherrypy.serving.request, cherrypy.serving.response
        begun = request.__dict__.pop("ws_handler", None) is not None
        if not _is_refused(request) and (begun or "Upgrade" in request.headers):
            for name in _UPGRADE_HEADERS:
                response.headers.pop(name, None)
            request.ws_refused = True
        if _is_refused(request):
            response.headers["Connection"] = "close"
            # With its length known: the end of a chunked one is written when the
            # connection has been ended already.
            response.stream = False

    def cleanup_headers(self) -> None:
        """Spell the header names as the RFC does; some clients insist."""
        response = cherrypy.serving.response
        if response.header_list:
            response.header_list = [
                (_SPELLING.get(name.lower(), name), value) for name, value in response.header_list
            ]

    def start_handler(self) -> None:
        """The response has been sent: take the socket over, or end the connection."""
        request = cherrypy.serving.request
        handler = request.__dict__.pop("ws_handler", None)
        connection = current_connection()
        if connection is None:
            return
        status = getattr(cherrypy.serving.response, "output_status", None)
        if not status:
            # InternalRedirect: nothing has been sent, another request goes on. If that makes
            # no websocket, its answer is the one to a refused upgrade.
            if handler is not None or _is_refused(request) or "Upgrade" in request.headers:
                end_behind_response(connection)
            return
        written = connection.wfile.bytes_written != getattr(request, "ws_written", None)
        if status.startswith(b"101") and handler is not None:
            if written:
                _hand_over(handler, connection, (request.remote.ip, request.remote.port))
                return
            logger.error("The 101 was not sent before its response was closed: a middleware?")
        if handler is not None or _is_refused(request):
            sock, _ = swap(connection)
            discard(sock)


def _hand_over(handler: Any, connection: Any, peer: tuple[str, int]) -> None:
    note_peer(connection, handler)
    sock, initial = swap(connection)
    if initial:
        handler.buf = initial
    try:
        found = cherrypy.engine.publish("handle-websocket", handler, peer)
    except ChannelFailures:
        # The bus has logged it. Another subscriber may have taken the websocket all the
        # same, so it has to end by itself.
        (getattr(handler, "close_connection", None) or handler.terminate)()
        return
    if not found:
        logger.error(
            "Nobody serves websockets: WebSocketPlugin(cherrypy.engine).subscribe() is missing"
        )
        discard(sock)


def _say_the_end() -> None:
    """Have the answer of a request that an InternalRedirect led to say what comes of it."""
    if is_ending(current_connection()):
        # A 101 replaces it.
        cherrypy.serving.response.headers["Connection"] = "close"


def _is_refused(request: Any) -> bool:
    return getattr(request, "ws_refused", False)


def _judge(request: Any, *policy: Any) -> Acceptance:
    """Judge CherryPy's request; ``policy`` is that of :func:`accept_request`."""
    sent = request
    while sent.prev is not None:
        # An InternalRedirect changes the method and adds a length.
        sent = sent.prev
    try:
        return accept_request(
            Request(sent.method, sent.protocol, Headers(sent.header_list), request.base), *policy
        )
    except HandshakeError as error:
        log = logger.warning if error.status == _FORBIDDEN else logger.info
        log("Refused a handshake for %.200r: %s", request.path_info, error)
        request.ws_refused = True
        raise CherryPyHandshakeError(error) from None


def _admit(request: Any, check: Check | None) -> None:
    """Ask everybody on the bus whether there is room, then the program."""
    try:
        for refusal in cherrypy.engine.publish("admit-websocket", request.wsgi_environ):
            if refusal is not None:
                raise refusal
        ask_program(check, request.wsgi_environ, (cherrypy.CherryPyException,))
    except HandshakeError as error:
        request.ws_refused = True
        raise CherryPyHandshakeError(error) from None


class WebSocketPlugin(plugins.SimplePlugin):
    """Serves websockets while the engine runs.

    The bus channel ``handle-websocket`` gives it a new one, ``websocket-broadcast``
    sends to all, and on ``admit-websocket`` the tool asks before a 101 whether there is
    room for one more. Stopping has two phases: before the HTTP server stops, every
    websocket is closed with 1001 and newcomers are turned away; after it, the
    manager's thread ends.

    :param bus: normally ``cherrypy.engine``.
    :param loops: how many threads share the websockets; see
        :class:`~ws4py.manager.WebSocketManager`.
    :param settings: further ones of the manager, such as ``memory_budget``.
    """

    def __init__(self, bus: Any, loops: int = 1, **settings: Any) -> None:
        super().__init__(bus)
        #: A :class:`~ws4py.manager.WebSocketManager`; may be replaced before the start.
        self.manager = WebSocketManager(loops=loops, **settings)

    def subscribe(self) -> None:
        """Listen to the bus from now on."""
        super().subscribe()
        # A subclass that overrides these two does not repeat their priorities.
        for channel in ("start", "stop"):
            method = getattr(self, channel)
            usual = getattr(WebSocketPlugin, channel).priority
            self.bus.subscribe(channel, method, getattr(method, "priority", usual))

    def start(self) -> None:
        """Start serving; called by the bus."""
        self.bus.log("Starting WebSocket processing")
        self.bus.subscribe("stop", self.refuse)
        self.bus.subscribe("stop", self.cleanup)
        self.bus.subscribe("admit-websocket", self.admit)
        self.bus.subscribe("handle-websocket", self.handle)
        self.bus.subscribe("before_request", _say_the_end)
        self.bus.subscribe("websocket-broadcast", self.broadcast)
        self.manager.start()

    # Behind Daemonizer (65): a thread does not survive its fork. Before the HTTP
    # server (75).
    start.priority = 66  # type: ignore[attr-defined]  # how CherryPy reads a priority

    def stop(self) -> None:
        """Stop listening to the bus; called by the bus."""
        self.bus.log("Terminating WebSocket processing")
        self.bus.unsubscribe("stop", self.refuse)
        self.bus.unsubscribe("stop", self.cleanup)
        self.bus.unsubscribe("admit-websocket", self.admit)
        self.bus.unsubscribe("handle-websocket", self.handle)
        self.bus.unsubscribe("before_request", _say_the_end)
        self.bus.unsubscribe("websocket-broadcast", self.broadcast)

    # Behind the HTTP server (25): upgrades still under way are handed over until then.
    stop.priority = 75  # type: ignore[attr-defined]

    def admit(self, environ: dict[str, Any]) -> HandshakeError | None:
        """Say why there is no room for one more websocket; ``None`` when there is.

        :param environ: the WSGI environ of the request that asks for one.
        """
        try:
            ask_manager(self.manager, environ)
        except HandshakeError as error:
            # The bus would log whatever is raised as a failure of ours.
            return error
        return None

    def handle(self, ws_handler: Any, peer_addr: Any) -> None:
        """Serve a websocket whose handshake is complete.

        :param peer_addr: the client's ``(ip, port)``, for those who keep a registry.
        """
        self.manager.add(ws_handler)

    def refuse(self) -> None:
        """First phase of stopping: 1001 to everybody, newcomers included."""
        self.manager.refuse()

    # Before the HTTP server (25), which may wait long for its requests.
    refuse.priority = 20  # type: ignore[attr-defined]

    def cleanup(self) -> None:
        """Second phase of stopping: end the manager's thread within a bounded time."""
        self.manager.stop()
        self.manager.join(self.manager.stop_timeout + _CALLBACK_SECONDS)
        if self.manager.is_alive() and threading.current_thread() is not self.manager:
            logger.error("A websocket's handler is still in a callback; not waiting for it")

    cleanup.priority = 74  # type: ignore[attr-defined]

    def broadcast(self, message: Any, binary: bool = False) -> None:
        """Send a message to every websocket."""
        self.manager.broadcast(message, binary)
