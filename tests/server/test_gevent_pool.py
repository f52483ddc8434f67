"""The pool of a gevent server's websockets: whose it is, its size, its end."""

import pytest
from gevent import pywsgi
from gevent.event import Event
from gevent.pool import Pool

from tests.support.gevent_app import Log, Waiting, application_of
from tests.support.hub_thread import serving
from tests.support.raw import CLOSE, TEXT, Frame, close_frame, frame, request
from tests.support.waiting import wait_until
from ws4py._engine import door
from ws4py.server.geventserver import (
    GEventWebSocketPool,
    WebSocketWSGIApplication,
    WSGIServer,
)
from ws4py.websocket import EchoWebSocket


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def echo(request):
    with serving(WSGIServer, application_of(EchoWebSocket), tls=request.param) as served:
        yield served


# -- Pools -----------------------------------------------------------------------


def test_the_pool_is_the_servers():
    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        assert isinstance(served.server.pool, GEventWebSocketPool)
        assert served.server.websockets is served.server.pool
        with served.connect():
            wait_until(lambda: len(served.server.pool.websockets) == 1)
        wait_until(lambda: not served.server.pool.websockets)


def test_a_pool_of_ones_own_is_respected_and_limits_requests_only():
    pool = Pool(5)
    with serving(WSGIServer, application_of(EchoWebSocket), spawn=pool) as served:
        assert served.server.pool is pool
        clients = [served.connect() for _ in range(20)]
        assert served.get() == b"hello"
        for client in clients:
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")
            client.sock.close()


class Running(EchoWebSocket):
    def run(self):
        super().run()


class Late(EchoWebSocket):
    """Sets its own when there is a stream already."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.max_message_size = 10


class LateRunning(Running, Late):
    pass


_LIMITED = [(EchoWebSocket, 10), (Running, 10), (Late, None), (Late, 5), (LateRunning, None)]


@pytest.mark.parametrize(("handler", "size"), _LIMITED)
def test_a_pools_settings_are_those_of_its_websockets(handler, size):
    with serving(WSGIServer, application_of(handler)) as served:
        given = {} if size is None else {"max_message_size": size}
        served.server.websockets = GEventWebSocketPool(**given)
        # The limits of messages are read when the connection is made.
        with served.connect() as client:
            client.send(frame(TEXT, b"0123456789") + frame(TEXT, b"0123456789a"))
            assert client.read_frame() == Frame(TEXT, b"0123456789")
            refused = client.read_frame()
            assert refused.close_code == 1009
            assert b"max_message_size 10" in refused.payload


def test_a_pool_has_no_settings_but_those_that_there_are():
    with pytest.raises(TypeError, match="max_mesage_size"):
        GEventWebSocketPool(max_mesage_size=10)


@pytest.mark.parametrize("own_spawn", [False, True])
def test_a_pools_size_limits_what_it_says(own_spawn):
    settings = {"spawn": Pool(5)} if own_spawn else {}
    with serving(WSGIServer, application_of(EchoWebSocket), **settings) as served:
        served.server.websockets = GEventWebSocketPool(2)
        clients = [served.connect(behind=frame(TEXT, b"hi")) for _ in range(2)]
        for client in clients:
            assert client.read_frame() == Frame(TEXT, b"hi")
        with served.client() as third:
            refusal = third.upgrade("/ws", behind=frame(TEXT, b"alive?"))
            assert (refusal.status, refusal.get("Connection")) == (503, "close")
            assert refusal.get("Retry-After")
            assert third.body == b"the pool's size 2 is reached\n"
            assert third.at_end()
        assert served.get() == b"hello"
        clients[0].say_goodbye()
        for client in clients:
            client.sock.close()
        wait_until(lambda: not served.server.websockets.websockets)
        with served.connect(behind=frame(TEXT, b"again")) as client:
            assert client.read_frame() == Frame(TEXT, b"again")


def test_who_came_without_asking_is_turned_away_behind_the_101():
    class Hasty(GEventWebSocketPool):
        admit = None

    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        served.server.websockets = Hasty(1)
        with served.connect(behind=frame(TEXT, b"hi")) as first, served.connect() as second:
            assert first.read_frame() == Frame(TEXT, b"hi")
            assert second.read_frame() == Frame(CLOSE, b"\x03\xf5the pool's size 1 is reached")
            assert second.at_end()


@pytest.mark.parametrize("handler", [EchoWebSocket, Running])
def test_one_too_many_of_an_address(handler):
    with serving(WSGIServer, application_of(handler)) as served:
        served.server.websockets = GEventWebSocketPool(max_connections_per_address=2)
        for _ in range(3):
            clients = [served.connect(behind=frame(TEXT, b"hi")) for _ in range(2)]
            for client in clients:
                assert client.read_frame() == Frame(TEXT, b"hi")
            with served.client() as third:
                assert third.upgrade("/ws").status == 503
                assert third.body == b"max_connections_per_address 2 is reached\n"
            clients[0].say_goodbye()
            clients[1].reset()
            clients[0].sock.close()
            wait_until(lambda: not served.server.websockets.websockets)
        assert not served.server.websockets._door._from
        assert not served.server.websockets._door._addresses


def test_without_a_size_the_descriptors_are_the_limit(monkeypatch):
    monkeypatch.setattr(door.resource, "getrlimit", lambda _: (65, 65))
    with (
        serving(WSGIServer, application_of(EchoWebSocket)) as served,
        served.connect(behind=frame(TEXT, b"hi")) as client,
        served.client() as second,
    ):
        assert client.read_frame() == Frame(TEXT, b"hi")
        assert second.upgrade("/ws").status == 503


def test_a_pool_of_websockets_to_spawn_from_serves_them_as_well():
    pool = GEventWebSocketPool(3)
    with serving(WSGIServer, application_of(EchoWebSocket), spawn=pool) as served:
        assert served.server.websockets is pool
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")


def test_a_pool_whose_track_is_overridden_is_asked():
    tracked = []

    class Counting(GEventWebSocketPool):
        def track(self, websocket):
            tracked.append(websocket)
            return super().track(websocket)

    log = Log()
    with serving(WSGIServer, application_of(EchoWebSocket, log)) as served:
        served.server.pool = Counting()
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
        assert tracked == log.handlers


def test_a_pool_that_fails_to_track_costs_one_connection(caplog, capfd):
    class Failing(GEventWebSocketPool):
        def track(self, websocket):
            raise ZeroDivisionError

    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        served.server.pool = Failing()
        with served.connect() as client:
            assert client.at_end()
        assert served.get() == b"hello"
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" not in capfd.readouterr().err


class OldHandler(pywsgi.WSGIHandler):
    """As programs have copied it from 0.6: it waits for the end in the request's greenlet."""

    def run_application(self):
        if "HTTP_UPGRADE" not in self.environ:
            super().run_application()
            return
        self.environ["ws4py.socket"] = self.socket
        self.result = self.application(self.environ, self.start_response) or []
        self.process_result()
        del self.environ["ws4py.socket"]
        websocket = self.environ.pop("ws4py.websocket", None)
        if websocket is not None:
            self.server.pool.track(websocket).join()
            self.close_connection = True


class OldServer(pywsgi.WSGIServer):
    handler_class = OldHandler

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.pool = GEventWebSocketPool()

    def stop(self, *arguments, **keywords):
        self.pool.clear()
        super().stop(*arguments, **keywords)


def test_a_server_of_ones_own_around_the_pool():
    # Which keeps no environ: such a handler leaves the reader in it to the garbage.
    with serving(OldServer, WebSocketWSGIApplication(handler_cls=EchoWebSocket)) as served:
        with served.connect() as client:
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")
            assert client.say_goodbye().close_code == 1000
        client = served.connect()
        served.hub.post(served.server.stop)
        assert client.read_frame() == Frame(CLOSE, b"\x03\xe9Server is shutting down")
        client.send(close_frame(1001))
        assert client.at_end()
        client.sock.close()


# -- The end ---------------------------------------------------------------------


def test_stop_says_goodbye_to_all(echo):
    clients = [echo.connect() for _ in range(20)]
    wait_until(lambda: len(echo.server.pool.websockets) == 20)
    echo.hub.post(echo.server.stop)
    for client in clients:
        assert client.read_frame() == Frame(CLOSE, b"\x03\xe9Server is shutting down")
        client.send(close_frame(1001))
        assert client.at_end()
        client.sock.close()
    wait_until(lambda: not echo.server.pool.websockets)


def test_stop_waits_for_nobody_without_end(echo):
    clients = [echo.connect() for _ in range(3)]
    echo.hub.call(echo.server.stop)
    for client in clients:
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        client.sock.close()
    assert not echo.server.pool.websockets


def test_a_callback_that_blocks_for_ever_does_not_keep_stop_from_ending():
    class Noting(Waiting):
        def closed(self, code, reason=None):
            log.closed.append((code, self.go_on.is_set()))

    log = Log()
    with serving(WSGIServer, application_of(Noting, log)) as served:
        client = served.connect(behind=frame(TEXT, b"wait"))
        wait_until(lambda: log.handlers and getattr(log.handlers[0], "running", 0))
        served.hub.call(served.server.stop)
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        client.sock.close()
        assert not served.server.pool.websockets
        assert not log.closed
        served.hub.call(log.handlers[0].go_on.set)
        wait_until(lambda: log.closed)
    assert log.closed == [(1006, True)]


def test_a_websocket_that_is_made_while_the_server_stops_is_refused():
    log = Log()
    asked, release = [], []

    def application(environ, start_response):
        release.append(Event())
        asked.append(environ)
        release[0].wait()
        return echo(environ, start_response)

    echo = application_of(EchoWebSocket, log)
    with serving(WSGIServer, application) as served, served.client() as client:
        client.send(request("/ws"))
        wait_until(lambda: asked)
        served.hub.call(served.server.stop)
        served.hub.call(release[0].set)
        assert client.read_response().status == 101
        assert client.read_frame().close_code == 1001
        assert client.at_end()


def test_clear_ends_all_and_the_pool_goes_on():
    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        client = served.connect(behind=frame(TEXT, b"hi"))
        client.read_frame()
        served.hub.call(served.server.pool.clear)
        assert client.read_frame().close_code == 1001
        client.sock.close()
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")


def test_a_server_can_be_started_again():
    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        for _ in range(3):
            with served.connect(behind=frame(TEXT, b"hi")) as client:
                assert client.read_frame() == Frame(TEXT, b"hi")
                client.say_goodbye()
            served.hub.call(served.server.stop)
            served.server.set_handle(None)
            served.server.set_spawn("default")
            served.hub.call(served.server.start)


def test_a_pool_takes_greenlets_as_well():
    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        pool = served.server.pool
        assert served.hub.call(lambda: pool.spawn(lambda: "done").get()) == "done"
