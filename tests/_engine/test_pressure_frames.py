"""Peers that do not keep up: fragmented messages, pings, and what is read meanwhile."""

import contextlib
import threading

import pytest

from tests.support.lanes import ENGINES, engine
from tests.support.pressing import (
    GONE,
    HEAD,
    LARGE,
    Call,
    Impatient,
    Patient,
    connect,
    ledger,
    waiting_for,
)
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo
from tests.support.waiting import DEADLINE, wait_until
from ws4py.protocol.limits import DEFAULT_UNSENT_SOFT_LIMIT as SOFT


@pytest.fixture(name="name", params=ENGINES)
def fixture_name(request):
    return request.param


@pytest.fixture(name="served")
def fixture_served(name):
    with engine(name) as served:
        yield served


class TestFragments:
    """A message in parts, while whole messages of others wait for its end."""

    def test_do_not_wait_for_those_who_wait_for_them(self, served):
        websocket, peer = connect(served)
        made, go_on = threading.Event(), threading.Event()

        def parts():
            yield "a"
            yield "b"
            made.set()
            assert go_on.wait(DEADLINE)
            yield "c"
            yield "d"

        stream = Call(websocket.send, parts())
        assert made.wait(DEADLINE)
        websocket.send(b"x" * 100_000, binary=True)
        waiting = Call(websocket.send, "late")
        wait_until(lambda: waiting_for(websocket) == 1)
        go_on.set()
        assert stream.end() is None
        assert waiting.end() is None
        received = [peer.read_frame() for _ in range(6)]
        assert [one.opcode for one in received] == [TEXT, *[CONTINUATION] * 3, BINARY, TEXT]
        assert received[-1].payload == b"late"

    def test_do_not_keep_who_makes_them_from_sending(self, served):
        websocket, peer = connect(served)

        def parts():
            yield "a"
            yield "b"
            websocket.send(b"x" * (SOFT + 1), binary=True)
            websocket.send("late")
            websocket.send(part for part in "later")
            yield "c"

        stream = Call(websocket.send, parts())
        received = [peer.read_frame() for _ in range(6)]
        assert stream.end() is None
        assert [one.opcode for one in received] == [TEXT, *[CONTINUATION] * 2, BINARY, TEXT, TEXT]
        assert [one.payload for one in received[-2:]] == [b"late", b"later"]

    def test_a_slow_one_is_not_the_peers_fault(self, served):
        """Nor for how much waits behind it, nor for how long."""

        class Strict(Impatient):
            write_timeout = 0.1

        websocket, peer = connect(served, Strict)
        other, _ = connect(served, Strict)
        made, go_on = threading.Event(), threading.Event()

        def parts():
            yield "a"
            yield "b"
            made.set()
            assert go_on.wait(DEADLINE)
            yield "c"

        stream = Call(websocket.send, parts())
        assert made.wait(DEADLINE)
        for _ in range(10):
            served.manager.broadcast(b"x" * 100_000, binary=True)
        assert other.wait_end() == GONE
        go_on.set()
        assert stream.end() is None
        received = [peer.read_frame() for _ in range(13)]
        assert [one.opcode for one in received] == [TEXT, *[CONTINUATION] * 2, *[BINARY] * 10]
        assert websocket.ends == []
        wait_until(lambda: ledger(served).total == 0)

    def test_wait_for_the_peer(self, served):
        websocket, peer = connect(served)
        count = 50
        stream = Call(websocket.send, (b"x" * 50_000 for _ in range(count)), binary=True)
        wait_until(lambda: waiting_for(websocket) == 1)
        assert websocket._outlet.unsent <= SOFT + 50_000 + HEAD
        assert sum(len(peer.read_frame().payload) for _ in range(count)) == count * 50_000
        assert stream.end() is None


class TestReading:
    def test_pauses_while_the_peer_does_not_read(self, served):
        class Answering(Echo):
            write_timeout = ping_interval = None

        websocket, peer = connect(served, Answering)
        peer.sock.setblocking(False)
        sent, data = 0, frame(BINARY, b"x" * 1000)
        with contextlib.suppress(BlockingIOError):
            while True:
                # Until nothing more goes in for good.
                at = sent % len(data)
                sent += peer.sock.send(data[at:])
                assert sent < 100_000_000
        assert websocket._outlet.unsent <= SOFT + 4 * 128 * 1024
        assert websocket.ends == []

    def test_one_pong_answers_all_pings_while_it_is_crowded(self, served):
        class Answering(Patient):
            def received_message(self, message):
                self.send(b"x" * LARGE, binary=True)

        websocket, peer = connect(served, Answering)
        pings = b"".join(frame(PING, b"%d" % number) for number in range(5))
        peer.send(frame(TEXT, b"go", fin=False) + frame(CONTINUATION) + pings)
        assert len(peer.read_frame().payload) == LARGE
        assert peer.read_frame() == (PONG, b"4", True, 0)
        peer.send(frame(PING, b"5"))
        assert peer.read_frame() == (PONG, b"5", True, 0)
        assert websocket.ends == []

    def test_a_ping_is_answered_before_the_close_frame(self, served):
        class Answering(Patient):
            def received_message(self, message):
                self.send(b"x" * LARGE, binary=True)

        websocket, peer = connect(served, Answering)
        message = frame(TEXT, b"go", fin=False) + frame(CONTINUATION)
        peer.send(message + frame(PING, b"1") + frame(PING, b"2") + close_frame(4000))
        received = peer.finish()
        assert [each.opcode for each in received] == [BINARY, PONG, CLOSE]
        assert received[1].payload == b"2"
        peer.sock.close()
        assert websocket.wait_end() == (4000, "")

    def test_no_pong_comes_behind_a_later_one(self, served):
        read = threading.Event()

        class Answering(Patient):
            unsent_soft_limit = 1_000_000

            def received_message(self, message):
                if message.data == b"end":
                    # There is room again, as soon as this has been read.
                    self._outlet._try_again()
                    while self._outlet.crowded:
                        peer.buffer += peer.sock.recv(1 << 20)
                        self._outlet._try_again()
                    read.set()
                else:
                    self.send(b"x" * LARGE, binary=True)

        websocket, peer = connect(served, Answering)
        pieces = [
            frame(TEXT, b"go", fin=False) + frame(CONTINUATION) + frame(PING, b"1"),
            frame(TEXT, b"end", fin=False) + frame(CONTINUATION) + frame(PING, b"2"),
        ]
        peer.send(b"".join(pieces))
        assert read.wait(DEADLINE)
        assert len(peer.read_frame().payload) == LARGE
        assert peer.read_frame() == (PONG, b"2", True, 0)
        peer.send(frame(PING, b"3"))
        assert peer.read_frame() == (PONG, b"3", True, 0)
        assert websocket.ends == []
