"""Tools and middleware of programs that get in the way of an upgrade."""

import errno
import socket

import cherrypy
import pytest

from tests.support.cherrypy_app import Root, cherrypy_app, get, tls_settings
from tests.support.raw import TEXT, Frame, frame, request
from ws4py.server.cherrypyserver import WebSocketTool

_ALIVE = frame(TEXT, b"alive?")


class Silent(WebSocketTool):
    """Lets every request pass as an ordinary one."""

    def upgrade(self, **kwargs):
        """Do not upgrade."""


def test_a_tool_that_does_not_upgrade_leaves_no_open_connection():
    with cherrypy_app(tool=Silent()) as app, app.client() as client:
        response = client.upgrade(behind=_ALIVE)
        assert response.status == 200
        assert client.at_end()
        assert not app.journal.names()


def test_an_ordinary_request_that_such_a_tool_lets_pass_keeps_its_connection():
    with cherrypy_app(tool=Silent()) as app, app.client() as client:
        for _ in range(3):
            client.send(get("/ws"))
            assert client.read_response().status == 200


class Incomplete(WebSocketTool):
    """Has a ``complete`` of its own that does nothing."""

    def complete(self):
        """Do not look at the status."""


class Forbidding(Root):
    @cherrypy.expose
    def ws(self):
        raise cherrypy.HTTPError(403)


def test_a_tool_that_does_not_look_at_the_status_gets_no_websocket_either():
    with cherrypy_app(Forbidding(), tool=Incomplete()) as app, app.client() as client:
        assert client.upgrade(behind=_ALIVE).status == 403
        assert client.at_end()
        assert app.journal.names() == ["made"]


class Impatient:
    """A middleware that collects the response and closes it before it is sent."""

    def __init__(self, application) -> None:
        self.application = application

    def __call__(self, environ, start_response):
        response = self.application(environ, start_response)
        parts = list(response)
        response.close()
        return parts


def test_a_response_that_is_closed_before_it_is_sent_opens_nothing():
    config = {"/": {"wsgi.pipeline": [("impatient", Impatient)]}}
    with cherrypy_app(config=config) as app, app.client() as client:
        client.send(request() + _ALIVE)
        assert client.at_end()
        assert app.journal.names() == ["made"]
        assert app.log.mentions("was not sent before its response was closed")
        assert app.get() == (200, b"hello")


@pytest.mark.parametrize("module", [None, "builtin", "pyopenssl"])
@pytest.mark.parametrize("status", [101, 400])
def test_taking_the_socket_needs_no_descriptor(monkeypatch, status, module):
    def fail(*_arguments):
        raise OSError(errno.EMFILE, "no descriptor left")

    with cherrypy_app(**(tls_settings(module) if module else {})) as app:
        with monkeypatch.context() as patched, app.client() as client:
            patched.setattr(socket, "socketpair", fail)
            if status == 101:
                assert client.upgrade(behind=_ALIVE).status == 101
                assert client.read_frame() == Frame(TEXT, b"alive?")
                client.say_goodbye()
            else:
                # A whole request behind it, which is none.
                changes = {"behind": get("/hidden"), "sec_websocket_key": "short"}
                assert client.upgrade(**changes).status == status
                assert client.at_end()
        assert not app.log.mentions("/hidden")
        assert app.get() == (200, b"hello")


class NoHandler(WebSocketTool):
    """Forgets to make a handler."""

    def upgrade(self, **kwargs):
        super().upgrade(**{**kwargs, "handler_cls": lambda *_, **__: None})


def test_a_factory_that_makes_no_handler_is_a_500():
    with cherrypy_app(tool=NoHandler()) as app, app.client() as client:
        assert client.upgrade(behind=_ALIVE).status == 500
        assert client.at_end()


def test_an_error_behind_the_last_hook_is_a_500_too():
    def fail():
        raise ArithmeticError("a hook's own mistake")

    cherrypy.tools.failing = cherrypy.Tool("on_end_resource", fail, priority=90)
    try:
        with cherrypy_app(config={"/ws": {"tools.failing.on": True}}) as app:
            app.errors_expected = True
            with app.client() as client:
                response = client.upgrade(behind=_ALIVE)
                assert response.status == 500
                assert response.get("Sec-WebSocket-Accept") is None
                assert client.at_end()
            assert app.journal.count("opened") == 0
    finally:
        del cherrypy.tools.failing
