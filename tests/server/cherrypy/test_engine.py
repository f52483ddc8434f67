"""The engine's life: stop, start, graceful, and upgrades that are under way meanwhile."""

import contextlib
import threading

import cherrypy
import pytest

from tests.support.cherrypy_app import (
    JournalledEcho,
    Root,
    cherrypy_app,
    farewell,
    in_background,
    tls_settings,
)
from tests.support.raw import TEXT, Frame, RawClient, frame, request
from tests.support.waiting import DEADLINE, wait_until
from ws4py.server import cherrypyserver

_SOCKETS = 20


def serving(app, count=_SOCKETS) -> list:
    clients = [app.connect() for _ in range(count)]
    wait_until(lambda: len(app.manager) == count)
    return clients


def assert_echoes(app) -> None:
    with app.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.read_frame() == Frame(TEXT, b"hi")
        client.say_goodbye()


@pytest.mark.parametrize("module", [None, "builtin", "pyopenssl"])
def test_stop_and_start_again_and_again(module):
    with cherrypy_app(**(tls_settings(module) if module else {})) as app:
        for turn in range(1, 4):
            clients = serving(app)
            with in_background(cherrypy.engine.stop):
                assert [farewell(client) for client in clients] == [1001] * _SOCKETS
                for client in clients:
                    client.sock.close()
            assert not app.manager.is_alive()
            assert app.journal.count("closed") == app.journal.count("opened") == turn * _SOCKETS
            app.start()
        assert_echoes(app)


def test_nobody_has_to_answer_the_goodbye(app):
    app.manager.stop_timeout = 0.2
    clients = serving(app)
    cherrypy.engine.stop()
    for client in clients:
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        client.sock.close()
    assert app.journal.count("closed") == _SOCKETS


def test_graceful_leaves_websockets_alone(app):
    clients = serving(app)
    cherrypy.engine.graceful()
    for client in clients:
        client.send(frame(TEXT, b"still here"))
        assert client.read_frame() == Frame(TEXT, b"still here")
        client.sock.close()
    assert_echoes(app)


def test_an_engine_that_is_stopped_twice_and_started_without_any_socket(app):
    for _ in range(2):
        cherrypy.engine.stop()
        cherrypy.engine.stop()
        app.start()
    assert_echoes(app)


class Gate(Root):
    """Pages that wait at a gate."""

    def __init__(self) -> None:
        self.waiting = threading.Semaphore(0)
        self.open = threading.Event()

    def wait(self) -> None:
        self.waiting.release()
        assert self.open.wait(DEADLINE)

    @cherrypy.expose
    def slow(self):
        self.wait()
        return "slow"

    @cherrypy.expose
    def late(self):
        self.wait()


_LATE = {"/late": {"tools.websocket.on": True}}


def test_the_goodbye_does_not_wait_for_a_page_handler():
    root = Gate()
    with cherrypy_app(root) as app:
        clients = serving(app)
        with app.client() as page:
            page.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert root.waiting.acquire(timeout=DEADLINE)
            with in_background(cherrypy.engine.stop) as stopping:
                assert [farewell(client) for client in clients] == [1001] * _SOCKETS
                for client in clients:
                    client.sock.close()
                assert stopping.is_alive()
                root.open.set()
                assert page.read_response().status == 200


@pytest.mark.parametrize("module", [None, "builtin", "pyopenssl"])
def test_an_upgrade_that_is_late_gets_the_goodbye_at_once(module):
    root = Gate()
    settings = tls_settings(module) if module else {}
    with cherrypy_app(root, dict(_LATE), **settings) as app:
        (early,) = serving(app, 1)
        with app.client() as late:
            late.send(request("/late") + frame(TEXT, b"hi"))
            assert root.waiting.acquire(timeout=DEADLINE)
            with in_background(cherrypy.engine.stop):
                assert farewell(early) == 1001
                early.sock.close()
                root.open.set()
                assert late.read_response().status == 101
                assert late.read_frame().close_code == 1001
                assert late.at_end()
        assert app.journal.count("opened") == 1


class Opening(JournalledEcho):
    """Takes long to open where its path says so."""

    gate: Gate

    def opened(self) -> None:
        super().opened()
        if self.environ["PATH_INFO"] == "/late":
            self.gate.wait()


def test_a_websocket_that_is_opening_meanwhile_is_closed_like_the_others():
    class Quick(Gate):
        @cherrypy.expose
        def late(self):
            """Nothing to wait for here."""

    root = Quick()
    handler = type("Handler", (Opening,), {"gate": root})
    with cherrypy_app(root, dict(_LATE), handler=handler) as app:
        (early,) = serving(app, 1)
        late = app.connect("/late")
        assert root.waiting.acquire(timeout=DEADLINE)
        with in_background(cherrypy.engine.stop):
            assert farewell(early) == 1001
            root.open.set()
            assert farewell(late) == 1001
            for client in (early, late):
                client.sock.close()
        assert app.journal.count("opened") == app.journal.count("closed") == 2


class Stopper(JournalledEcho):
    def received_message(self, message) -> None:
        cherrypy.engine.stop()
        super().received_message(message)


def test_stopping_from_a_callback_does_not_lock_up():
    with cherrypy_app(handler=Stopper) as app:
        clients = serving(app, 3)
        clients[0].send(frame(TEXT, b"stop"))
        assert [farewell(client) for client in clients] == [1001] * 3
        for client in clients:
            client.sock.close()
        wait_until(lambda: not app.manager.is_alive())
        wait_until(lambda: cherrypy.engine.state is cherrypy.engine.states.STOPPED)
        assert app.journal.count("closed") == 3


def test_a_callback_that_does_not_return_does_not_hold_up_the_stop_for_ever(monkeypatch):
    monkeypatch.setattr(cherrypyserver, "_CALLBACK_SECONDS", 0.1)
    gate = Gate()

    class Stuck(JournalledEcho):
        def received_message(self, message) -> None:
            gate.wait()

    with cherrypy_app(handler=Stuck) as app:
        app.manager.stop_timeout = 0.1
        with app.connect(behind=frame(TEXT, b"hi")) as client:
            assert gate.waiting.acquire(timeout=DEADLINE)
            cherrypy.engine.stop()
            assert app.log.mentions("still in a callback")
            gate.open.set()
            assert farewell(client) == 1001
        wait_until(lambda: not app.manager.is_alive())


class Storm:
    """Clients that connect again and again while the engine stops."""

    def __init__(self, address) -> None:
        self.address = address
        self.stopping = threading.Event()
        #: The close codes of those that were upgraded and stayed.
        self.codes = []
        self.upgraded = threading.Semaphore(0)

    def stay(self) -> None:
        with RawClient(self.address) as client:
            assert client.upgrade().status == 101
            self.upgraded.release()
            self.codes.append(farewell(client))

    def churn(self) -> None:
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                self.come()

    def come(self) -> None:
        try:
            client = RawClient(self.address)
        except ConnectionResetError:
            # Accepted by the kernel, and the server was gone.
            return
        with client:
            try:
                client.send(request())
                response = client.read_response()
            except (EOFError, ConnectionError):
                return
            assert response.status == 101
            if self.stopping.is_set():
                self.codes.append(farewell(client))
            else:
                self.upgraded.release()


def test_every_websocket_that_came_while_connections_storm_in_gets_the_goodbye(app):
    storm = Storm(app.address)
    threads = [threading.Thread(target=storm.stay) for _ in range(10)]
    threads += [threading.Thread(target=storm.churn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert storm.upgraded.acquire(timeout=DEADLINE)
    storm.stopping.set()
    cherrypy.engine.stop()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(storm.codes) >= 10
    assert set(storm.codes) == {1001}
    assert app.journal.count("opened") == app.journal.count("closed")
