"""The manager's limits, asked over the bus before the 101."""

import cherrypy
import pytest

from tests.support.cherrypy_app import cherrypy_app
from tests.support.raw import TEXT, Frame, frame, request
from tests.support.waiting import wait_until
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.server.cherrypyserver import WebSocketPlugin

_ALIVE = frame(TEXT, b"alive?")


def assert_refused(app, reason):
    with app.client() as client:
        response = client.upgrade(behind=_ALIVE)
        assert response.status == 503
        assert response.get("Connection") == "close"
        assert response.get("Retry-After") == "10"
        assert response.get("Sec-WebSocket-Accept") is None
        assert reason in client.body
        assert client.at_end()


def lines(app) -> list:
    return [line for line in app.log.lines if "is reached" in line]


def assert_echoes(client):
    client.send(_ALIVE)
    assert client.read_frame() == Frame(TEXT, b"alive?")


def test_one_too_many_gets_no_101(app):
    app.manager.max_connections = 2
    clients = [app.connect() for _ in range(2)]
    wait_until(lambda: len(app.manager) == 2)
    made = app.journal.count("made")
    for _ in range(20):
        assert_refused(app, b"max_connections 2 is reached")
    assert app.journal.count("made") == made
    # Not a line for each of them.
    assert len(lines(app)) == 1
    assert_echoes(clients[0])
    clients[0].say_goodbye()
    clients[0].sock.close()
    wait_until(lambda: len(app.manager) == 1)
    with app.connect() as client:
        assert_echoes(client)
    for each in clients:
        each.sock.close()


def test_one_too_many_of_an_address(app):
    app.manager.max_connections_per_address = 1
    with app.connect() as client:
        wait_until(lambda: len(app.manager) == 1)
        assert_refused(app, b"max_connections_per_address 1 is reached")
        assert_echoes(client)
    wait_until(lambda: not app.manager._door._from)


def test_clients_of_a_unix_socket_have_no_address(tmp_path):
    with cherrypy_app(socket_file=str(tmp_path / "server.sock")) as app:
        app.manager.max_connections_per_address = 1
        clients = [app.connect() for _ in range(3)]
        wait_until(lambda: len(app.manager) == 3)
        for client in clients:
            client.say_goodbye()
            client.sock.close()


def test_nobody_is_asked_about_what_is_no_handshake(app):
    app.manager.max_connections = 0
    with app.client() as client:
        assert client.upgrade(sec_websocket_key="short").status == 400
    assert lines(app) == []


def test_every_plugin_is_asked():
    with cherrypy_app() as app:
        other = WebSocketPlugin(cherrypy.engine)
        other.manager.max_connections = 0
        cherrypy.engine.subscribe("admit-websocket", other.admit)
        assert_refused(app, b"max_connections 0 is reached")
        cherrypy.engine.unsubscribe("admit-websocket", other.admit)
        with app.connect() as client:
            assert_echoes(client)


def test_a_subscriber_of_the_programs_own_may_refuse(app):
    def admit(environ):
        if environ["REMOTE_ADDR"] == "127.0.0.1":
            return HandshakeError("not from there", 403)
        return None

    cherrypy.engine.subscribe("admit-websocket", admit)
    with app.client() as client:
        assert client.upgrade(behind=_ALIVE).status == 403
        assert b"not from there" in client.body
        assert client.at_end()


def test_a_subscriber_that_fails_lets_nobody_in(app):
    def admit(_):
        raise LookupError("a subscriber's own mistake")

    app.errors_expected = True
    cherrypy.engine.subscribe("admit-websocket", admit)
    with app.client() as client:
        response = client.upgrade(behind=_ALIVE)
        assert (response.status, response.get("Connection")) == (500, "close")
        assert response.get("Sec-WebSocket-Accept") is None
        assert client.at_end()
    assert app.journal.names() == []


def test_nobody_to_ask_is_no_limit():
    with cherrypy_app(plugin=None) as app:
        manager = WebSocketManager(max_connections=1)
        manager.start()
        cherrypy.engine.subscribe("handle-websocket", lambda handler, _: manager.add(handler))
        with app.connect() as first:
            assert_echoes(first)
            with app.connect() as second:
                # The manager itself sees to it.
                assert second.read_frame().close_code == 1013
            assert_echoes(first)
        manager.stop()
        manager.join()


class Own:
    """A manager of a program's own, as it was before there were limits."""

    def __init__(self) -> None:
        self._manager = WebSocketManager()
        self.start, self.add = self._manager.start, self._manager.add
        self.stop, self.join = self._manager.stop, self._manager.join
        self.refuse, self.is_alive = self._manager.refuse, self._manager.is_alive
        self.stop_timeout = self._manager.stop_timeout


class WithOwn(WebSocketPlugin):
    def __init__(self, bus) -> None:
        super().__init__(bus)
        self.manager = Own()


def test_a_manager_that_knows_no_limits_has_none():
    with cherrypy_app(plugin=WithOwn) as app, app.connect() as client:
        assert_echoes(client)
        client.say_goodbye()


@pytest.mark.parametrize("limit", [1, 5])
def test_who_asks_at_the_same_time_is_never_too_many(limit):
    with cherrypy_app(thread_pool=10) as app:
        app.manager.max_connections = limit
        clients = [app.client() for _ in range(30)]
        statuses, codes = [], []
        for client in clients:
            client.send(request() + _ALIVE)
        for client in clients:
            statuses.append(client.read_response().status)
            if statuses[-1] == 101:
                codes.append(client.read_frame())
        served = codes.count(Frame(TEXT, b"alive?"))
        assert served == limit
        assert {each.close_code for each in codes if each.payload != b"alive?"} <= {1013}
        assert set(statuses) <= {101, 503}
        for client in clients:
            client.sock.close()
