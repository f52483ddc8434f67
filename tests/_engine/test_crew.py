"""Several loops as one."""

import threading

import pytest

from tests.support.raw import TEXT, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import wait_until
from ws4py._engine.crew import Crew
from ws4py._engine.pollers import SelectPoller
from ws4py.manager import WebSocketManager


@pytest.fixture(name="served")
def fixture_served():
    with serving(loops=3) as served:
        yield served


def threads_of(served, count):
    """The names of the threads that have served a message, each of ``count`` connections."""
    pairs = [served.connect(Recorder) for _ in range(count)]
    for _, peer in pairs:
        peer.send(frame(TEXT, b"who?"))
    wait_until(lambda: all(websocket.messages for websocket, _ in pairs))
    return [
        next(iter(websocket.threads - {threading.current_thread().name})) for websocket, _ in pairs
    ]


def test_connections_are_dealt_out(served):
    names = threads_of(served, 6)
    assert sorted(set(names)) == ["WebSocketManager", "WebSocketManager-2", "WebSocketManager-3"]
    assert names[:3] == names[3:]


def test_all_are_sent_a_broadcast_and_a_goodbye(served):
    pairs = [served.connect(Echo) for _ in range(7)]
    served.manager.broadcast("to all")
    assert {peer.read_frame().payload for _, peer in pairs} == {b"to all"}
    served.manager.stop()
    assert {peer.answer_close().payload[:2] for _, peer in pairs} == {b"\x03\xe9"}
    served.manager.join()
    assert not any("WebSocketManager" in thread.name for thread in threading.enumerate())


def test_can_be_started_again(served):
    served.manager.stop()
    served.manager.join()
    served.manager.start()
    assert len(set(threads_of(served, 3))) == 3


def test_one_that_fails_ends_them_all():
    def fails():
        raise RuntimeError("no poller")

    crew = Crew([fails, SelectPoller], lambda _entry: None)
    with pytest.raises(RuntimeError, match="no poller"):
        crew.run("crew")
    assert len(crew) == 2


@pytest.mark.parametrize("loops", [0, -1])
def test_at_least_one(loops):
    with pytest.raises(ValueError, match="loops has to be at least 1"):
        WebSocketManager(loops=loops)


def test_a_poller_serves_one_loop():
    with pytest.raises(ValueError, match="a poller serves one loop"):
        WebSocketManager(SelectPoller(), loops=2)
