"""Peers that do not keep up: who gives them up, and how much memory they may take."""

import contextlib
import threading

import pytest

from tests.support.lanes import ENGINES, engine, held_up
from tests.support.pressing import (
    GONE,
    HEAD,
    LARGE,
    Call,
    Impatient,
    Patient,
    block,
    connect,
    ledger,
    skip,
)
from tests.support.raw import BINARY, TEXT, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.ledger import COUNTED_FROM
from ws4py.exc import ConnectionClosed
from ws4py.protocol.limits import DEFAULT_UNSENT_SOFT_LIMIT as SOFT


@pytest.fixture(name="name", params=ENGINES)
def fixture_name(request):
    return request.param


@pytest.fixture(name="served")
def fixture_served(name):
    with engine(name) as served:
        yield served


class TestGivingUp:
    def test_a_peer_that_reads_nothing(self, served, caplog):
        class Short(Patient):
            write_timeout = close_timeout = 0.2

        websocket, _ = connect(served, Short)
        block(websocket)
        assert websocket.wait_end() == GONE
        assert "slow consumer: nothing read within write_timeout 0.2 s" in caplog.text
        wait_until(lambda: ledger(served).total == 0)

    def test_not_a_peer_that_reads_slowly(self, served):
        """The poller tells of room only when there is much of it."""

        class Short(Patient):
            write_timeout = 0.6

        websocket, peer = connect(served, Short)
        block(websocket)
        read = 0
        while read < 300_000:
            read += len(peer.sock.recv(8192))
            threading.Event().wait(0.05)
        assert websocket.ends == []
        skip(peer, LARGE + HEAD - read)
        websocket.send("last")
        assert peer.read_frame().payload == b"last"

    @pytest.mark.parametrize("sender", ["thread", "loop", "callback", "other manager"])
    def test_above_the_hard_limit(self, served, caplog, sender):
        """Whoever sends cannot wait, or is not to."""
        websocket, peer = connect(served, Impatient)
        size, most = 100_000, [0]

        def send(_message=None):
            for _ in range(20):
                if sender == "thread":
                    served.manager.broadcast(b"x" * size, binary=True)
                else:
                    with contextlib.suppress(ConnectionClosed):
                        websocket.send(b"x" * size, binary=True)
                if websocket._outlet is not None:
                    most[0] = max(most[0], websocket._outlet.unsent)

        class Sender(Recorder):
            unsent_hard_limit = None

            def received_message(self, message):
                send()
                self.note("done")

        run(served, sender, send, Sender)
        assert websocket.wait_end() == GONE
        assert "slow consumer: above unsent_hard_limit 300000" in caplog.text
        frames = [size + HEAD] * 2
        assert Impatient.unsent_hard_limit < most[0] <= SOFT + 300_000 + sum(frames) + 100
        peer.sock.close()

    def test_not_with_one_message_however_large(self, served):
        websocket, peer = connect(served, Impatient)
        served.manager.broadcast(b"x" * LARGE, binary=True)
        served.manager.broadcast(b"x" * LARGE, binary=True)
        wait_until(lambda: websocket._outlet.unsent > LARGE)
        assert [len(peer.read_frame().payload) for _ in range(2)] == [LARGE] * 2
        assert websocket.ends == []

    def test_not_for_what_it_has_read(self, served):
        websocket, peer = connect(served, Impatient)
        for _ in range(20):
            served.manager.broadcast(b"x" * 150_000, binary=True)
            served.manager.broadcast(b"x" * 150_000, binary=True)
            for _ in range(2):
                assert len(peer.read_frame().payload) == 150_000
        assert websocket.ends == []

    def test_not_without_a_hard_limit(self, served):
        class Unlimited(Patient):
            unsent_hard_limit = None

        websocket, peer = connect(served, Unlimited)
        for _ in range(10):
            served.manager.broadcast(b"x" * LARGE, binary=True)
        assert [len(peer.read_frame().payload) for _ in range(10)] == [LARGE] * 10
        assert websocket.ends == []

    def test_not_since_our_own_loop_is_busy(self, served):
        """The kernel has room, but nobody else asks it."""
        websocket, peer = connect(served, Impatient)
        with held_up(served):
            block(websocket, 500_000)
            sent, total = 500_000 + HEAD, 0
            for _ in range(30):
                served.manager.broadcast(b"x" * 50_000, binary=True)
                sent += 50_000 + 4
                # All that the kernel has taken.
                while total < sent - websocket._outlet.unsent:
                    total += len(peer.sock.recv(1 << 20))
        assert websocket.ends == []
        peer.read(sent - total)
        websocket.send("last")
        assert peer.read_frame().payload == b"last"

    def test_not_while_its_own_callback_answers(self, served):
        class Generous(Impatient):
            def received_message(self, message):
                for _ in range(4):
                    self.send(b"x" * LARGE, binary=True)

        websocket, peer = connect(served, Generous)
        peer.send(frame(TEXT, b"go"))
        assert [len(peer.read_frame().payload) for _ in range(4)] == [LARGE] * 4
        assert websocket.ends == []

    def test_nor_when_another_loop_has_had_callbacks_meanwhile(self):
        began, go_on = threading.Event(), threading.Event()

        class Generous(Impatient):
            def received_message(self, message):
                began.set()
                assert go_on.wait(DEADLINE)
                for _ in range(4):
                    self.send(b"x" * LARGE, binary=True)

        with serving(loops=2) as served:
            websocket, peer = served.connect(Generous, "socketpair")
            _, other = served.connect(Echo)
            peer.send(frame(TEXT, b"go"))
            assert began.wait(DEADLINE)
            other.send(frame(TEXT, b"hi"))
            assert other.read_frame().payload == b"hi"
            go_on.set()
            assert [len(peer.read_frame().payload) for _ in range(4)] == [LARGE] * 4
            assert websocket.ends == []


def test_a_loop_waits_for_no_peer_of_another_loop():
    with serving(loops=2) as served:
        slow, _ = served.connect(Impatient, "socketpair")

        class Sender(Recorder):
            def received_message(self, message):
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        slow.send(b"x" * 100_000, binary=True)
                self.note("done")

        sender, peer = served.connect(Sender)
        block(slow)
        peer.send(frame(TEXT, b"go"))
        wait_until(lambda: ("done",) in sender.events)
        assert slow.wait_end() == GONE


class TestMemory:
    def test_what_is_sent_is_not_counted_any_more(self, served):
        class Answering(Patient):
            write_timeout = 0.2

            def received_message(self, message):
                self.send(b"x" * 50_000, binary=True)

        websocket, peer = connect(served, Answering, "tcp")
        for _ in range(5):
            peer.send(frame(TEXT, b"go") * 8)
            for _ in range(8):
                peer.read_frame()
        wait_until(lambda: ledger(served).total == 0)
        assert websocket.ends == []

    def test_a_budget_for_what_is_unsent(self, name):
        budget, size, count = 6_000_000, 1_000_000, 12
        with engine(name, memory_budget=budget) as served:
            pairs = [connect(served, Unwaited) for _ in range(count)]
            most = 0
            for _ in range(5):
                served.manager.broadcast(b"x" * size, binary=True)
                most = max(most, ledger(served).total)
            wait_until(lambda: any(websocket.ends for websocket, _ in pairs))
            # One message is queued before it is counted, for each of them.
            assert most <= budget + count * (size + HEAD + COUNTED_FROM)
            wait_until(lambda: ledger(served).total <= budget)
            for _, peer in pairs:
                peer.sock.close()
            for websocket, _ in pairs:
                websocket.wait_end()
            assert ledger(served).total == 0

    def test_a_budget_for_what_is_half_received(self, name, caplog):
        budget, size, count = 6_000_000, 900_000, 30
        with engine(name, memory_budget=budget) as served:
            pairs = [connect(served, Unwaited) for _ in range(count)]
            half = frame(BINARY, b"x" * (size + 1))[:-1]
            senders = [Call(send_half, peer, half) for _, peer in pairs]
            most = 0
            while any(sender.is_alive() for sender in senders):
                most = max(most, ledger(served).total)
            wait_until(lambda: any(websocket.ends for websocket, _ in pairs))
            # Asked is after each call of the kernel, which gives 1 MiB at the most.
            assert most <= budget + 1024 * 1024 + 2 * count * COUNTED_FROM
            assert "memory_budget 6000000 of all connections is used up" in caplog.text
            for _, peer in pairs:
                peer.sock.close()
            for websocket, _ in pairs:
                websocket.wait_end()
            assert [sender.is_alive() for sender in senders] == [False] * count
            assert ledger(served).total == 0

    def test_none_at_all(self, name):
        with engine(name, memory_budget=None) as served:
            websocket, peer = connect(served)
            block(websocket, 4 * LARGE)
            websocket._outlet._count()
            assert ledger(served).total > LARGE
            assert len(peer.read_frame().payload) == 4 * LARGE
            assert websocket.ends == []


class Unwaited(Patient):
    """What is sent is queued, whatever the peer does."""

    unsent_soft_limit = COUNTED_FROM
    unsent_hard_limit = None
    write_timeout = 0.4
    close_timeout = 0.1


def run(served, sender, send, cls):
    """Have it sent by a thread, on the same loop, in a callback there, or by another's."""
    if sender == "thread":
        send()
    elif sender == "loop":
        served.manager._crew.pick().post(send)
    elif sender == "callback":
        _, peer = connect(served, cls)
        peer.send(frame(TEXT, b"go"))
    else:
        with serving() as other:
            speaker, peer = other.connect(cls)
            peer.send(frame(TEXT, b"go"))
            wait_until(lambda: ("done",) in speaker.events)


def send_half(peer, data):
    with contextlib.suppress(OSError):
        peer.send(data)
