"""From one manager to another, while the first still has something to deliver."""

import threading

import pytest

from tests.support.lanes import ENGINES, engine, held_up, in_lane
from tests.support.raw import BINARY, TEXT, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.handover import Handover


class Blocked(Recorder):
    """Its first message takes until the test lets it go on."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.go_on = threading.Event()

    def received_message(self, message):
        super().received_message(message)
        assert self.go_on.wait(DEADLINE)


def test_tells_when_it_is_over():
    told = []
    handover = Handover()
    assert handover.then(lambda: told.append(1))
    assert handover.then(lambda: told.append(2))
    assert told == []
    handover.end()
    handover.end()
    assert told == [2]
    assert not handover.then(lambda: told.append(3))
    assert told == [2]


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_half_a_message(name, size):
    """One has received its beginning, and the other its end."""
    data = frame(BINARY, b"x" * size)
    with engine(name) as first, engine(name) as second:
        websocket, peer = first.connect(Echo)
        in_lane(first, websocket)
        second.peers.append(peer)
        peer.send(frame(TEXT, b"whole") + data[: size // 2])
        assert peer.read_frame().payload == b"whole"
        with held_up(first):
            first.manager.remove(websocket)
            second.manager.add(websocket)
            peer.send(data[size // 2 :] + frame(TEXT, b"last"))
            assert not websocket._outlet._registered
        assert peer.read_frame().payload == b"x" * size
        assert peer.read_frame().payload == b"last"
        in_lane(second, websocket)


def test_behind_callbacks_that_wait_for_a_worker():
    with serving(workers=1) as first, serving() as second:
        websocket, peer = first.connect(Blocked)
        second.peers.append(peer)
        for each in range(5):
            peer.send(frame(TEXT, b"%d" % each))
        wait_until(lambda: len(websocket._outlet._queue or ()) == 5)
        first.manager.remove(websocket)
        second.manager.add(websocket)
        peer.send(frame(TEXT, b"5"))
        wait_until(lambda: websocket._handover._next is not None)
        websocket.go_on.set()
        wait_until(lambda: len(websocket.messages) == 6)
        assert websocket.messages == [b"%d" % each for each in range(6)]


def test_to_a_manager_that_ends_meanwhile():
    with serving() as first, serving() as second:
        websocket, peer = first.connect()
        wait_until(lambda: websocket._outlet._registered)
        with held_up(first):
            first.manager.remove(websocket)
            second.manager.add(websocket)
            second.manager.stop()
            second.manager.join(DEADLINE)
            assert not second.manager.is_alive()
        assert websocket.wait_end()
        assert peer.at_end()
