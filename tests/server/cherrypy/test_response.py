"""The 101 itself: which headers, how they are spelled, and not a byte behind it."""

import cherrypy
import pytest

from tests.support.cherrypy_app import Root, cherrypy_app
from tests.support.raw import TEXT, Frame, accept_for, frame, request

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_EXPECTED = ["Connection", "Date", "Sec-WebSocket-Accept", "Server", "Upgrade"]


class Pages(Root):
    @cherrypy.expose
    def ws(self, kind="none"):
        return {
            "none": lambda: None,
            "text": lambda: "BODY",
            "bytes": lambda: b"BODY",
            "list": lambda: [b"BO", b"DY"],
            "generator": lambda: (part for part in (b"BO", b"DY")),
        }[kind]()


def names(response) -> list:
    return sorted(name for name, _ in response.headers)


def test_the_headers_of_the_101(app):
    with app.client() as client:
        response = client.upgrade(sec_websocket_key=_KEY)
        assert response.status == 101
        assert names(response) == _EXPECTED
        assert response.get("Upgrade") == "websocket"
        assert response.get("Connection") == "Upgrade"
        # The key is that of RFC 6455 section 1.3.
        assert response.get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_status_line(app):
    with app.client() as client:
        client.send(request())
        assert client.read(len("HTTP/1.1 101 Switching Protocols\r\n")) == (
            b"HTTP/1.1 101 Switching Protocols\r\n"
        )


@pytest.mark.parametrize("protocol", ["chat", "wamp.2.json"])
def test_the_spelling_of_every_websocket_header(protocol):
    with (
        cherrypy_app(config={"/ws": {"tools.websocket.protocols": [protocol]}}) as app,
        app.client() as client,
    ):
        response = client.upgrade(sec_websocket_protocol=protocol)
        assert names(response) == sorted([*_EXPECTED, "Sec-WebSocket-Protocol"])


@pytest.fixture(params=[{}, {"response.stream": True}], ids=["whole", "stream"])
def pages(request):
    with cherrypy_app(Pages(), {"/ws": request.param}) as app:
        yield app


@pytest.mark.parametrize("kind", ["none", "text", "bytes", "list", "generator"])
def test_what_a_page_handler_returns_does_not_follow_the_101(pages, kind):
    with pages.connect(f"/ws?kind={kind}") as client:
        client.send(frame(TEXT, b"first"))
        assert client.read_frame() == Frame(TEXT, b"first")
        client.say_goodbye()


@pytest.mark.parametrize("kind", ["none", "text", "generator"])
def test_among_the_tools_that_change_responses(kind):
    tools = ("sessions", "etags", "gzip", "encode", "response_headers", "expires")
    config = {f"tools.{name}.on": True for name in tools}
    config["tools.etags.autotags"] = True
    config["tools.response_headers.headers"] = [("X-Mine", "1")]
    with cherrypy_app(Pages(), {"/": config}) as app, app.client() as client:
        response = client.upgrade(
            f"/ws?kind={kind}", sec_websocket_key=_KEY, accept_encoding="gzip"
        )
        assert response.status == 101
        assert response.get("Sec-WebSocket-Accept") == accept_for(_KEY)
        assert response.get("X-Mine") == "1"
        assert response.get("Set-Cookie").startswith("session_id=")
        for name in ("Content-Type", "Content-Length", "Transfer-Encoding", "Content-Encoding"):
            assert response.get(name) is None, name
        client.send(frame(TEXT, b"first"))
        assert client.read_frame() == Frame(TEXT, b"first")


def test_a_tool_that_wraps_pages_does_not_wrap_the_101():
    def wrap():
        response = cherrypy.response
        response.headers["Content-Type"] = "text/plain"
        response.body = [b"<<", *response.body, b">>"]

    cherrypy.tools.wrapper = cherrypy.Tool("before_finalize", wrap, priority=90)
    try:
        config = {"/": {"tools.wrapper.on": True}}
        with cherrypy_app(Pages(), config) as app, app.client() as client:
            assert names(client.upgrade("/ws?kind=text")) == _EXPECTED
            client.send(frame(TEXT, b"first"))
            assert client.read_frame() == Frame(TEXT, b"first")
    finally:
        del cherrypy.tools.wrapper


def test_the_key_of_each_request_is_answered(app):
    for number in range(10):
        key = f"{number:022d}=="
        with app.client() as client:
            response = client.upgrade(sec_websocket_key=key)
            assert response.get("Sec-WebSocket-Accept") == accept_for(key)
