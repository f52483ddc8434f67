"""The storm against a server of ours: what it sends, reads and counts."""

import contextlib
import os

import pytest

from chaos import storm
from chaos.failure import ChaosError
from chaos.storm import Plan
from chaos.wire import CLOSE, PING, TEXT, close_frame, frame, request
from tests.support.waiting import DEADLINE
from tests.support.wsgiref_thread import serving
from ws4py.manager import WebSocketManager
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket


@pytest.fixture(name="port")
def fixture_port():
    manager = WebSocketManager()
    manager.start()
    try:
        application = WebSocketWSGIApplication(handler_cls=EchoWebSocket, manager=manager)
        with serving(application) as served:
            served.server.manager = manager
            yield served.server.server_address[1]
    finally:
        manager.stop()
        manager.join(DEADLINE)


@pytest.fixture(name="begin")
def fixture_begin(program, port):
    with contextlib.ExitStack() as stack:
        core = min(os.sched_getaffinity(0))

        def begin(room=10, **about):
            return stack.enter_context(storm.started(program, Plan(**about), port, room, core))

        yield begin


def test_what_is_sent_comes_back(begin):
    crowd = begin(once=frame(TEXT, b"first"), again=frame(TEXT, b"again"), times=30)
    assert crowd.open(10)["opened"] == 10
    crowd.attack()
    assert crowd.finish(20.0)["done"] == 10
    while (seen := crowd.last(0.05))["messages"] < 310:
        assert seen["alive"] == 10
    assert seen["messages"] == 310
    assert seen["sent_bytes"] == 310 * len(frame(TEXT, b"first"))
    assert crowd.say("reset")["alive"] == 0


def test_close_codes_are_counted(begin):
    crowd = begin(once=frame(TEXT, b"\xff"))
    crowd.open(10)
    crowd.attack()
    seen = crowd.wait(20.0)
    assert (seen["alive"], seen["codes"], seen["unsaid"]) == (0, {"1007": 10}, 0)


def test_goodbye(begin):
    crowd = begin(after="close", once=frame(TEXT, b"x"))
    crowd.open(5)
    crowd.attack()
    seen = crowd.wait(20.0)
    assert (seen["messages"], seen["codes"], seen["eofs"]) == (5, {"1000": 5}, 5)


def test_who_is_refused(begin):
    crowd = begin(raw=True, once=request(sec_websocket_version="12"))
    crowd.open(5)
    crowd.attack()
    assert crowd.wait(20.0)["statuses"] == {"426": 5}


def test_a_rate(begin):
    """Three pieces: one at once, the others when their time has come."""
    sent = frame(TEXT, b"x")
    crowd = begin(again=sent, times=3, piece=len(sent), rate=20.0)
    crowd.open(2)
    crowd.attack()
    seen = crowd.finish(20.0)
    assert (seen["done"], seen["sent_bytes"]) == (2, 2 * 3 * len(sent))


def test_deaf_ones_read_at_the_end_only(begin):
    crowd = begin(deaf=True, mute=True, once=frame(TEXT, b"x") + close_frame(1001))
    crowd.open(3)
    crowd.attack()
    seen = crowd.wait(20.0)
    assert (seen["messages"], seen["codes"]) == (3, {"1001": 3})


def test_no_more_than_there_is_room_for(begin):
    crowd = begin(room=1)
    with pytest.raises(ChaosError, match="room for 1 connections only"):
        crowd.open(2)


def test_frames_that_are_sent_again_and_again_go_out_together():
    short = frame(PING, b"x")
    assert storm._gathered(Plan(again=short, times=12, rate=1.0)) == (short, 12)
    data, times = storm._gathered(Plan(again=short, times=1_000_000))
    assert len(data) * times == 1_000_000 * len(short)
    assert len(data) > 10_000
    assert storm._gathered(Plan(once=frame(CLOSE))) == (b"", 0)
