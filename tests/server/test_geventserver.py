"""gevent's server with websockets: the contract of 0.6, greenlets, pools, the end."""

import gevent
import pytest
from gevent import pywsgi
from gevent.event import Event
from gevent.pool import Pool

from tests.support.hub_thread import living_greenlets, serving
from tests.support.raw import BINARY, CLOSE, TEXT, Frame, close_frame, frame, request
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import HandshakeError
from ws4py.server import geventserver
from ws4py.server.geventserver import (
    GEventWebSocketPool,
    WebSocketWSGIApplication,
    WebSocketWSGIHandler,
    WSGIServer,
)
from ws4py.websocket import EchoWebSocket, WebSocket

_MEBIBYTE = bytes(range(256)) * 4096


class Log:
    """What a test's application saw."""

    def __init__(self) -> None:
        self.environs = []
        self.handlers = []
        self.closed = []


def application_of(handler_cls, log=None, **settings):
    """Pages and, at /ws, websockets."""
    log = log or Log()

    def make(*arguments):
        log.handlers.append(handler_cls(*arguments))
        return log.handlers[-1]

    websockets = WebSocketWSGIApplication(handler_cls=make, **settings)

    def application(environ, start_response):
        log.environs.append((environ, "ws4py.socket" in environ))
        if environ["PATH_INFO"] == "/ws":
            return websockets(environ, start_response)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    return application


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def echo(request):
    with serving(WSGIServer, application_of(EchoWebSocket), tls=request.param) as served:
        yield served


# -- The contract ----------------------------------------------------------------


def test_everything_can_be_imported_from_here():
    from ws4py.server import wsgiutils

    assert geventserver.WebSocketWSGIApplication is wsgiutils.WebSocketWSGIApplication
    assert WSGIServer.handler_class is WebSocketWSGIHandler


def test_only_upgrade_requests_have_the_socket():
    """VOLTTRON takes its presence for "this is a WebSocket request"."""
    log = Log()
    with serving(WSGIServer, application_of(EchoWebSocket, log)) as served:
        assert served.get() == b"hello"
        with served.connect():
            pass
        with served.client() as client:
            assert client.upgrade("/ws", upgrade=None).status == 426
    assert [had for _, had in log.environs] == [False, True, False]


def test_the_keys_are_gone_when_the_application_has_returned():
    log = Log()
    with serving(WSGIServer, application_of(EchoWebSocket, log)) as served, served.connect():
        environ, _ = log.environs[0]
        wait_until(lambda: "ws4py.websocket" not in environ)
        assert "ws4py.socket" not in environ


def test_the_keys_are_gone_when_the_application_has_failed(capfd):
    seen = []

    def application(environ, _):
        seen.append(environ)
        raise ZeroDivisionError

    with serving(WSGIServer, application) as served, served.client() as client:
        assert client.upgrade().status == 500
        assert "ws4py.socket" not in seen[0]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_the_request_and_the_websocket_on_one_kept_connection(echo):
    with echo.client() as client:
        for _ in range(3):
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.read_response().status == 200
        assert client.upgrade().status == 101
        client.send(frame(TEXT, b"hi"))
        assert client.read_frame() == Frame(TEXT, b"hi")


def test_a_lazy_middleware():
    inner = application_of(EchoWebSocket)

    def lazy(environ, start_response):
        yield from inner(environ, start_response)

    with serving(WSGIServer, lazy) as served:
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
        with served.client() as client:
            assert client.upgrade(sec_websocket_key=None).status == 400
            assert client.at_end()
        assert served.get() == b"hello"


def test_a_handler_that_cannot_be_made_is_a_500(capfd):
    def broken(*_):
        raise ZeroDivisionError

    with serving(WSGIServer, application_of(broken)) as served, served.client() as client:
        assert client.upgrade().status == 500
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_handler_may_refuse():
    def refuse(*_):
        raise HandshakeError("the shop is closed", 503)

    with serving(WSGIServer, application_of(refuse)) as served, served.client() as client:
        assert client.upgrade().status == 503
        assert client.at_end()


def test_a_101_of_another_protocol_is_left_alone():
    def application(_environ, start_response):
        start_response("101 Switching Protocols", [("Upgrade", "other")])
        return []

    with serving(WSGIServer, application) as served, served.client() as client:
        assert client.upgrade().status == 101


def test_a_client_that_is_gone_under_tls_is_no_traceback(capfd):
    with serving(WSGIServer, application_of(EchoWebSocket), tls=True) as served:
        for _ in range(10):
            client = served.client()
            client.send(b"GET /ws HTTP/1.1\r\n")
            client.reset()
        with served.connect():
            pass
    assert "Traceback" not in capfd.readouterr().err


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


@pytest.mark.parametrize("own_spawn", [False, True])
def test_a_pools_size_limits_what_it_says(own_spawn):
    settings = {"spawn": Pool(5)} if own_spawn else {}
    with serving(WSGIServer, application_of(EchoWebSocket), **settings) as served:
        served.server.websockets = GEventWebSocketPool(2)
        clients = [served.connect(behind=frame(TEXT, b"hi")) for _ in range(2)]
        for client in clients:
            assert client.read_frame() == Frame(TEXT, b"hi")
        with served.connect() as third:
            assert third.read_frame().close_code == 1013
            assert third.at_end()
        assert served.get() == b"hello"
        clients[0].say_goodbye()
        for client in clients:
            client.sock.close()
        wait_until(lambda: not served.server.websockets.websockets)
        with served.connect(behind=frame(TEXT, b"again")) as client:
            assert client.read_frame() == Frame(TEXT, b"again")


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
    with serving(OldServer, application_of(EchoWebSocket)) as served:
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


# -- Greenlets -------------------------------------------------------------------


def test_idle_websockets_hold_no_greenlet():
    with serving(WSGIServer, application_of(EchoWebSocket)) as served:
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            client.read_frame()
            before = living_greenlets()
        clients = [served.connect(behind=frame(TEXT, b"hi")) for _ in range(500)]
        for client in clients:
            assert client.read_frame() == Frame(TEXT, b"hi")
        wait_until(lambda: living_greenlets() <= before)
        assert len(served.server.pool.websockets) >= 500
        for client in clients:
            client.sock.close()


class Waiting(WebSocket):
    """Waits for an event in its first callback, while others go on."""

    def opened(self):
        self.go_on = Event()
        self.running = 0

    def received_message(self, message):
        self.running += 1
        assert self.running == 1
        if message.data == b"wait":
            self.go_on.wait()
        self.send(message.data)
        self.running -= 1


def test_a_callback_that_blocks_holds_up_nobody_else():
    log = Log()
    with serving(WSGIServer, application_of(Waiting, log)) as served:
        first, second = served.connect(), served.connect()
        first.send(frame(TEXT, b"wait") + frame(TEXT, b"1") + frame(TEXT, b"2"))
        second.send(frame(TEXT, b"quick"))
        assert second.read_frame() == Frame(TEXT, b"quick")
        first.send(frame(TEXT, b"3"))
        second.send(frame(TEXT, b"quick again"))
        assert second.read_frame() == Frame(TEXT, b"quick again")
        served.hub.call(log.handlers[0].go_on.set)
        received = [first.read_frame().payload for _ in range(4)]
        assert received == [b"wait", b"1", b"2", b"3"]
        first.sock.close()
        second.sock.close()


def test_what_a_blocking_callback_has_sent_is_on_its_way():
    class Progress(Waiting):
        def received_message(self, message):
            self.send("working")
            super().received_message(message)

    log = Log()
    with serving(WSGIServer, application_of(Progress, log)) as served:
        with served.connect(behind=frame(TEXT, b"wait")) as client:
            assert client.read_frame() == Frame(TEXT, b"working")
            served.hub.call(log.handlers[0].go_on.set)
            assert client.read_frame() == Frame(TEXT, b"wait")


def test_the_end_comes_behind_a_callback_that_blocks():
    class Noting(Waiting):
        def closed(self, code, reason=None):
            log.closed.append((code, self.running))

    log = Log()
    with serving(WSGIServer, application_of(Noting, log)) as served:
        served.connect(behind=frame(TEXT, b"wait")).sock.close()
        wait_until(lambda: log.handlers and getattr(log.handlers[0], "running", 0))
        served.hub.call(log.handlers[0].terminate)
        served.hub.call(gevent.sleep, 0)
        assert not log.closed
        served.hub.call(log.handlers[0].go_on.set)
        wait_until(lambda: log.closed)
    assert log.closed == [(1006, 0)]


def test_sending_from_another_thread():
    log = Log()
    with serving(WSGIServer, application_of(EchoWebSocket, log)) as served:
        with served.connect() as client:
            wait_until(lambda: served.server.pool.websockets)
            for number in range(100):
                log.handlers[0].send(f"{number}")
            assert [client.read_frame().payload for _ in range(100)] == [
                b"%d" % number for number in range(100)
            ]
            log.handlers[0].send(_MEBIBYTE, binary=True)
            assert client.read_frame() == Frame(BINARY, _MEBIBYTE)


@pytest.mark.parametrize("end", ["close", "terminate", "close_connection"])
def test_ending_from_another_thread(end):
    class Noting(EchoWebSocket):
        close_timeout = 0.1

        def closed(self, code, reason=None):
            log.closed.append(code)

    log = Log()
    with serving(WSGIServer, application_of(Noting, log)) as served:
        with served.connect() as client:
            wait_until(lambda: served.server.pool.websockets)
            getattr(log.handlers[0], end)()
            client.finish()
        wait_until(lambda: log.closed)
        wait_until(lambda: not served.server.pool.websockets)
    assert len(log.closed) == 1


def test_ending_in_opened():
    class Ending(EchoWebSocket):
        def opened(self):
            self.send("welcome")
            self.terminate()
            log.closed.append("opened is over")

        def closed(self, code, reason=None):
            log.closed.append(code)

    log = Log()
    with serving(WSGIServer, application_of(Ending, log)) as served:
        with served.connect() as client:
            assert client.finish() == [Frame(TEXT, b"welcome")]
        wait_until(lambda: len(log.closed) == 2)
    assert log.closed == ["opened is over", 1006]


def test_a_run_of_the_programs_own_is_called():
    ran = []

    class Running(EchoWebSocket):
        def run(self):
            ran.append("begins")
            super().run()
            ran.append("ends")

    with serving(WSGIServer, application_of(Running)) as served:
        with served.connect() as client:
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")
            client.say_goodbye()
        wait_until(lambda: ran == ["begins", "ends"])
        client = served.connect()
        wait_until(lambda: len(served.server.pool.websockets) == 1)
        served.hub.post(served.server.stop)
        assert client.read_frame().close_code == 1001
        client.send(close_frame(1001))
        client.finish()
        client.sock.close()


# -- Much at once ----------------------------------------------------------------


def test_a_peer_that_sends_without_reading_gets_everything_later(echo):
    count = 64
    with echo.connect() as client:
        sent = 0
        client.sock.settimeout(1)
        data = frame(BINARY, bytes(60_000), key=b"abcd") * count
        view = memoryview(data)
        try:
            while sent < len(data):
                sent += client.sock.send(view[sent : sent + 65536])
        except TimeoutError:
            # The server has stopped reading from who does not read.
            pass
        client.sock.settimeout(DEADLINE)
        whole = sent // (len(data) // count)
        for _ in range(whole):
            assert client.read_frame() == Frame(BINARY, bytes(60_000))
        client.send(data[sent:])
        for _ in range(count - whole):
            assert client.read_frame() == Frame(BINARY, bytes(60_000))


def test_small_messages_of_a_peer_that_does_not_read(echo):
    count = 20_000
    with echo.connect() as client:
        data = frame(TEXT, b"x" * 100) * count
        client.sock.settimeout(1)
        sent = 0
        try:
            while sent < len(data):
                sent += client.sock.send(data[sent : sent + 65536])
        except TimeoutError:
            pass
        client.sock.settimeout(DEADLINE)
        whole = sent // (len(data) // count)
        assert [client.read_frame().payload for _ in range(whole)] == [b"x" * 100] * whole


# -- Timers ----------------------------------------------------------------------


def test_a_silent_peer_is_dropped():
    class Beating(EchoWebSocket):
        def __init__(self, *arguments):
            super().__init__(*arguments, heartbeat_freq=0.1)

        def closed(self, code, reason=None):
            log.closed.append(code)

    log = Log()
    with serving(WSGIServer, application_of(Beating, log)) as served:
        with served.connect():
            wait_until(lambda: log.closed)
    assert log.closed == [1006]


def test_a_peer_that_does_not_answer_the_close_is_cut_off():
    class Leaving(EchoWebSocket):
        close_timeout = 0.1

        def opened(self):
            self.close(1000, "bye")

    with serving(WSGIServer, application_of(Leaving)) as served:
        with served.connect() as client:
            assert client.read_frame().close_code == 1000
            assert client.at_end()
        wait_until(lambda: not served.server.pool.websockets)


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
    log = Log()
    with serving(WSGIServer, application_of(Waiting, log)) as served:
        client = served.connect(behind=frame(TEXT, b"wait"))
        wait_until(lambda: log.handlers and getattr(log.handlers[0], "running", 0))
        served.hub.call(served.server.stop)
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        client.sock.close()
        served.hub.call(log.handlers[0].go_on.set)
        wait_until(lambda: not served.server.pool.websockets)


def test_a_websocket_that_is_made_while_the_server_stops_is_refused():
    log = Log()
    asked, release = [], []

    def application(environ, start_response):
        release.append(Event())
        asked.append(environ)
        release[0].wait()
        return echo(environ, start_response)

    echo = application_of(EchoWebSocket, log)
    with serving(WSGIServer, application) as served:
        with served.client() as client:
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
