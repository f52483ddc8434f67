"""gevent's server with websockets: the contract of 0.6, much at once, deadlines."""

import pytest
from gevent.event import Event

from tests.support.gevent_app import Log, application_of
from tests.support.hub_thread import living_greenlets, serving
from tests.support.raw import BINARY, TEXT, Frame, frame
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import HandshakeError
from ws4py.server import geventserver
from ws4py.server.geventserver import (
    WebSocketWSGIHandler,
    WSGIServer,
)
from ws4py.websocket import EchoWebSocket


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


def test_a_client_that_resets_in_the_middle_of_its_request_is_no_traceback(echo, capfd):
    for _ in range(10):
        client = echo.client()
        client.send(b"GET /ws HTTP/1.1\r\n")
        client.reset()
    with echo.connect():
        pass
    wait_until(lambda: living_greenlets() == 0)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_does_not_wait_for_the_answer_to_a_bad_request(capfd, caplog, tls):
    gone = []

    class Late(WebSocketWSGIHandler):
        def read_requestline(self):
            line = super().read_requestline()
            gone.append(Event())
            gone[0].wait()
            return line

    caplog.set_level("INFO", "ws4py")
    application = application_of(EchoWebSocket)
    with serving(WSGIServer, application, tls=tls, handler_class=Late) as served:
        client = served.client()
        client.send(b"NONSENSE\r\n")
        wait_until(lambda: gone)
        client.reset()
        served.hub.call(gone[0].set)
        wait_until(lambda: living_greenlets() == 0)
    assert "Connection lost" in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_program_that_keeps_an_environ_keeps_no_socket():
    log = Log()
    with serving(WSGIServer, application_of(EchoWebSocket, log)) as served:
        assert served.get() == b"hello"
        [(environ, _)] = log.environs
        wait_until(lambda: environ["wsgi.input"].rfile.closed)


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
    with serving(WSGIServer, application_of(Beating, log)) as served, served.connect():
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
