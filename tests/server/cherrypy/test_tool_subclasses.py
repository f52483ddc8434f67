"""Tools as programs write them: renamed, re-pointed, with an ``upgrade`` of their own."""

import base64
import hashlib
import threading

import cherrypy
import pytest

from tests.support.cherrypy_app import cherrypy_app, handler_class
from tests.support.raw import TEXT, Frame, frame
from ws4py import WS_VERSION
from ws4py.server.cherrypyserver import WebSocketTool
from ws4py.websocket import WebSocket


def assert_echoes(app, path="/ws", **changes) -> None:
    with app.connect(path, behind=frame(TEXT, b"early"), **changes) as client:
        assert client.read_frame() == Frame(TEXT, b"early")
        client.say_goodbye()


def test_the_tool_by_another_name():
    cherrypy.tools.websockets = WebSocketTool()
    try:
        config = {"/ws": {"tools.websocket.on": False, "tools.websockets.on": True}}
        with cherrypy_app(config=config) as app, app.connect() as client:
            # The default handler is one that does nothing.
            assert client.say_goodbye().close_code == 1000
        config["/ws"]["tools.websockets.handler_cls"] = handler_class(app.journal)
        with cherrypy_app(config=config) as app:
            assert_echoes(app)
    finally:
        del cherrypy.tools.websockets


class ByKeywords(WebSocketTool):
    """Takes whatever is configured."""

    def upgrade(self, **kwargs):
        cherrypy.request.by_keywords = sorted(kwargs)
        super().upgrade(**kwargs)


class ByArguments(WebSocketTool):
    def upgrade(self, *args, **kwargs):
        WebSocketTool.upgrade(self, *args, **kwargs)


class InFull(WebSocketTool):
    """The signature of 0.6, passed on by keyword."""

    def upgrade(
        self,
        protocols=None,
        extensions=None,
        version=WS_VERSION,
        handler_cls=WebSocket,
        heartbeat_freq=None,
    ):
        WebSocketTool.upgrade(
            self,
            protocols=protocols,
            extensions=extensions,
            version=version,
            handler_cls=handler_cls,
            heartbeat_freq=heartbeat_freq,
        )


@pytest.mark.parametrize("kind", [ByKeywords, ByArguments, InFull])
def test_an_upgrade_that_passes_its_arguments_on(kind):
    config = {"/ws": {"tools.websocket.protocols": ["chat"]}}
    with cherrypy_app(config=config, tool=kind()) as app:
        assert_echoes(app, sec_websocket_protocol="chat")


def test_the_arguments_in_their_order():
    class Positional(WebSocketTool):
        def upgrade(self, handler_cls=None, **kwargs):
            super().upgrade(["chat"], None, (13,), handler_cls, 30, "*")

    with cherrypy_app(tool=Positional()) as app:
        assert_echoes(app, sec_websocket_protocol="chat", origin="http://elsewhere.example")


class Sideboard(WebSocketTool):
    """Behind the session, past our constructor, refusing in the middle."""

    def __init__(self) -> None:
        cherrypy.Tool.__init__(self, "before_handler", self.upgrade)
        self._priority = 71

    def upgrade(self, **kwargs):
        if cherrypy.request.params.get("user") != "ann":
            raise cherrypy.HTTPError(401, "you must be logged in")
        WebSocketTool.upgrade(self, **kwargs)
        if cherrypy.request.params.get("banned"):
            raise cherrypy.HTTPError(403)


def test_a_tool_at_another_point_that_refuses_by_itself():
    with cherrypy_app(tool=Sideboard()) as app:
        assert_echoes(app, "/ws?user=ann")
        opened = app.journal.count("opened")
        for path, status in (("/ws", 401), ("/ws?user=ann&banned=1", 403)):
            with app.client() as client:
                response = client.upgrade(path, behind=frame(TEXT, b"alive?"))
                assert response.status == status
                assert response.get("Sec-WebSocket-Accept") is None
                assert client.at_end()
        assert app.journal.count("opened") == opened


class Keeping(WebSocketTool):
    """Goes on with the handler, and sees every step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = []

    def upgrade(self, **kwargs):
        super().upgrade(**kwargs)
        self.steps.append("upgrade")
        cherrypy.request.ws_handler.extra = "kept"

    def complete(self):
        self.steps.append("complete")
        super().complete()

    def cleanup_headers(self):
        self.steps.append("cleanup_headers")
        super().cleanup_headers()

    def start_handler(self):
        self.steps.append("start_handler")
        super().start_handler()


def test_every_step_can_be_overridden():
    tool = Keeping()
    with cherrypy_app(tool=tool) as app:
        assert_echoes(app)
        assert tool.steps == ["upgrade", "complete", "cleanup_headers", "start_handler"]
        assert app.journal.last("opened").extra == "kept"


class FromScratch(WebSocketTool):
    """Judges by itself and never calls ours, as programs did that wanted other rules."""

    def upgrade(self, handler_cls=WebSocket, **kwargs):
        request, response = cherrypy.serving.request, cherrypy.serving.response
        key = request.headers["Sec-WebSocket-Key"].encode()
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        response.stream = True
        response.status = "101 Switching Protocols"
        response.headers["Content-Type"] = "text/plain"
        response.headers["Upgrade"] = "websocket"
        response.headers["Connection"] = "Upgrade"
        response.headers["Sec-WebSocket-Accept"] = base64.b64encode(digest).decode()
        sock = threading.current_thread().conn.socket
        request.ws_handler = handler_cls(sock, None, None, request.wsgi_environ.copy())


def test_an_upgrade_written_from_scratch():
    with cherrypy_app(tool=FromScratch()) as app:
        assert_echoes(app)
        assert_echoes(app)


@pytest.mark.parametrize("priority", [10, 55, 90])
def test_the_priority_is_a_setting(priority):
    seen = []
    cherrypy.tools.marker = cherrypy.Tool(
        "before_request_body", lambda: seen.append(hasattr(cherrypy.request, "ws_handler"))
    )
    try:
        config = {"/ws": {"tools.websocket.priority": priority, "tools.marker.on": True}}
        with cherrypy_app(config=config) as app:
            assert_echoes(app)
    finally:
        del cherrypy.tools.marker
    # The marker has 50.
    assert seen == [priority < 50]


def test_without_cheroot_a_request_is_refused_and_nothing_breaks():
    tool = WebSocketTool()
    with cherrypy_app(tool=tool) as app:
        application = cherrypy.tree.apps[""]
        status, headers, body = call_wsgi(application, "/ws")
        assert status.startswith("501")
        assert "Sec-WebSocket-Accept" not in headers
        assert b"hand over a socket" in body
        assert app.journal.names() == []


def call_wsgi(application, path):
    """Call a WSGI application as a server other than cheroot would."""
    from wsgiref.util import setup_testing_defaults

    answer = []
    environ = {
        "PATH_INFO": path,
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_UPGRADE": "websocket",
        "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(bytes(16)).decode(),
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    setup_testing_defaults(environ)
    parts = application(environ, lambda status, headers, _=None: answer.extend([status, headers]))
    body = b"".join(parts)
    parts.close()
    return answer[0], dict(answer[1]), body
