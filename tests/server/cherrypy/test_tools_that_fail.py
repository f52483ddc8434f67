"""Tools of programs that do not upgrade, forget the handler, or fail behind the upgrade."""

import cherrypy

from tests.support.cherrypy_app import cherrypy_app, get
from tests.support.raw import TEXT, frame
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
