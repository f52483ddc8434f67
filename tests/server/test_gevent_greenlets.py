"""Callbacks in greenlets: an idle websocket has none, one that blocks is alone in that."""

import gevent
import pytest

from tests.support.gevent_app import Log, Waiting, application_of
from tests.support.hub_thread import living_greenlets, serving
from tests.support.raw import BINARY, TEXT, Frame, close_frame, frame
from tests.support.waiting import wait_until
from ws4py.server.geventserver import (
    WSGIServer,
)
from ws4py.websocket import EchoWebSocket

_MEBIBYTE = bytes(range(256)) * 4096


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
    with (
        serving(WSGIServer, application_of(Progress, log)) as served,
        served.connect(behind=frame(TEXT, b"wait")) as client,
    ):
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
    with (
        serving(WSGIServer, application_of(EchoWebSocket, log)) as served,
        served.connect() as client,
    ):
        wait_until(lambda: served.server.pool.websockets)
        for number in range(100):
            log.handlers[0].send(f"{number}")
        received = [client.read_frame().payload for _ in range(100)]
        assert received == [b"%d" % number for number in range(100)]
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
