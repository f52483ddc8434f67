"""The exception of a refused handshake, its page and its line in the log."""

import cherrypy
import pytest

from tests.support.cherrypy_app import cherrypy_app
from tests.support.raw import TEXT, frame
from ws4py.exc import HandshakeError
from ws4py.server.cherrypyserver import CherryPyHandshakeError, WebSocketTool


def test_the_error_is_of_both_families():
    error = CherryPyHandshakeError(HandshakeError("why", 426, [("Sec-WebSocket-Version", "13")]))
    for family in (HandshakeError, cherrypy.HTTPError):
        with pytest.raises(family) as caught:
            raise error
        assert caught.value.status == 426
    assert str(error) == error.msg == "why"
    assert error.code == 426


class Tolerant(WebSocketTool):
    """Serves a page to who does not want a websocket."""

    caught = HandshakeError

    def upgrade(self, **kwargs):
        try:
            super().upgrade(**kwargs)
        except self.caught:
            cherrypy.serving.request.handler = lambda: b"no websocket"


@pytest.mark.parametrize("family", [HandshakeError, cherrypy.HTTPError])
def test_a_tool_of_ones_own_catches_the_refusal(family):
    tool = Tolerant()
    tool.caught = family
    with cherrypy_app(tool=tool) as app:
        assert app.get("/ws") == (200, b"no websocket")
        with app.connect() as client:
            client.say_goodbye()


def test_a_refusal_is_one_line_in_the_log_and_a_page_without_traceback(app):
    with app.client() as client:
        response = client.upgrade(sec_websocket_version="12")
        assert response.status == 426
        assert b"Sec-WebSocket-Version must be 13" in client.body
        assert b"Traceback" not in client.body
    assert app.log.mentions("Refused a handshake for '/ws': Sec-WebSocket-Version must be 13")


def test_a_plain_visit_is_told_what_this_is(app):
    status, page = app.get("/ws")
    assert status == 426
    assert b"this is a WebSocket endpoint" in page


def test_what_the_peer_wrote_is_escaped_in_the_page(app):
    with app.client() as client:
        assert client.upgrade(origin="http://<script>alert(1)</script>").status == 403
        assert b"<script>" not in client.body


def test_the_page_can_be_the_programs_own():
    config = {"/ws": {"error_page.426": lambda **_: "mine"}}
    with cherrypy_app(config=config) as app:
        assert app.get("/ws") == (426, b"mine")


def test_a_whole_page_arrives_also_where_responses_are_streamed():
    with cherrypy_app(config={"/ws": {"response.stream": True}}) as app, app.client() as client:
        response = client.upgrade(sec_websocket_key="short", behind=frame(TEXT, b"alive?"))
        assert response.status == 400
        assert response.get("Transfer-Encoding") is None
        assert b"Sec-WebSocket-Key" in client.body
        assert client.at_end()
