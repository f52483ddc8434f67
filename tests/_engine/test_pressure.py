"""Peers that do not keep up: who waits for them, and until when."""

import threading
import time

import pytest

from tests.support.lanes import ENGINES, engine, held_up, in_lane
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
    waiting_for,
)
from tests.support.raw import BINARY, CONTINUATION, TEXT, close_frame, frame
from tests.support.serving import serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import ConnectionClosed, WriteTimeout
from ws4py.messaging import TextMessage, prepare
from ws4py.protocol.limits import DEFAULT_UNSENT_SOFT_LIMIT as SOFT


@pytest.fixture(name="name", params=ENGINES)
def fixture_name(request):
    return request.param


@pytest.fixture(name="served")
def fixture_served(name):
    with engine(name) as served:
        yield served


class TestAnswering:
    """Of one read there may be thousands of messages, and each may be answered at length."""

    def test_is_interrupted_until_the_peer_has_read(self, served):
        class Verbose(Patient):
            most = 0

            def received_message(self, message):
                super().received_message(message)
                self.send(message.data * 20_000, binary=True)
                Verbose.most = max(Verbose.most, self._outlet.unsent)

        websocket, peer = connect(served, Verbose)
        peer.send(b"".join(frame(BINARY, b"%d" % (each % 10)) for each in range(2000)))
        for each in range(2000):
            assert peer.read_frame().payload == b"%d" % (each % 10) * 20_000
        assert len(websocket.messages) == 2000
        assert Verbose.most <= SOFT + 33 * (20_000 + HEAD)
        # Nor does it leave the lane for that.
        in_lane(served, websocket)
        peer.send(frame(BINARY, b"z"))
        assert peer.read_frame().payload == b"z" * 20_000

    def test_ends_with_a_peer_that_reads_nothing(self, served):
        class Verbose(Impatient):
            write_timeout = 0.2

            def received_message(self, message):
                super().received_message(message)
                self.send(b"x" * 100_000, binary=True)

        websocket, peer = connect(served, Verbose)
        peer.send(frame(TEXT, b"x") * 5000)
        assert websocket.wait_end() == GONE
        assert len(websocket.messages) < 1000


class Busy(Patient):
    """Its handler takes its time."""

    seconds = 0.0005

    def received_message(self, message):
        super().received_message(message)
        time.sleep(self.seconds)


def served_before_another(served, kind, data):
    """How many messages of one connection come before the first of another that is ready, too."""
    served_before = []

    class Other(Patient):
        def received_message(self, message):
            served_before.append(len(busy.messages))

    busy, flood = connect(served, kind)
    _, peer = connect(served, Other)
    with held_up(served):
        flood.send(data)
        peer.send(frame(TEXT, b"me, too"))
    wait_until(lambda: served_before)
    return busy, served_before[0]


class TestSharing:
    """Who sends much has no longer a turn than the others."""

    @pytest.mark.parametrize("parts", [1, 2])
    def test_others_are_served_in_between(self, served, parts):
        whole = b"".join(
            frame(TEXT if not each else CONTINUATION, b"x", each == parts - 1)
            for each in range(parts)
        )
        busy, before = served_before_another(served, Busy, whole * 1000)
        assert before < 200
        wait_until(lambda: len(busy.messages) == 1000)
        in_lane(served, busy)

    def test_a_few_long_callbacks_are_too_many_as_well(self):
        with engine("lane") as served:
            slow = type("Slow", (Busy,), {"seconds": 0.02})
            busy, before = served_before_another(served, slow, frame(TEXT, b"x") * 30)
            assert before < 10
            wait_until(lambda: len(busy.messages) == 30)

    def test_messages_are_served_before_the_end_of_who_sent_them(self, served):
        busy, flood = connect(served, Busy)
        flood.send(frame(TEXT, b"x") * 1000)
        wait_until(lambda: busy.messages)
        flood.reset()
        assert busy.wait_end() == GONE
        assert len(busy.messages) == 1000


class TestWaiting:
    def test_does_not_rely_on_a_loop_that_waits_for_a_lock_of_the_caller(self, served):
        websocket, peer = connect(served)
        lock = threading.Lock()
        with lock:
            block(websocket)
            served.manager._crew.pick().post(lock.acquire)
            reading = Call(skip, peer, LARGE + HEAD)
            websocket.send("late")
        assert reading.end() is None
        assert peer.read_frame().payload == b"late"

    @pytest.mark.parametrize(
        "late",
        [
            lambda: "late",
            lambda: b"late",
            lambda: TextMessage("late"),
            lambda: prepare("late"),
            lambda: iter_of("late"),
        ],
        ids=["text", "bytes", "message", "prepared", "generator"],
    )
    def test_until_the_peer_has_read(self, served, late):
        websocket, peer = connect(served)
        block(websocket)
        call = Call(websocket.send, late())
        wait_until(lambda: waiting_for(websocket) == 1)
        assert len(peer.read_frame().payload) == LARGE
        assert call.end() is None
        assert peer.read_frame().payload == b"late"

    @pytest.mark.parametrize("kind", ["tcp", "ssl", "pyopenssl"])
    def test_on_every_kind_of_socket(self, served, kind):
        websocket, peer = connect(served, kind=kind)
        block(websocket, 16_000_000)
        call = Call(websocket.send, "late")
        wait_until(lambda: waiting_for(websocket) == 1)
        skip(peer, 16_000_000 + HEAD)
        assert call.end() is None
        assert peer.read_frame().payload == b"late"

    def test_ends_when_there_is_room_although_the_kernel_takes_no_more(self, served):
        class Roomy(Patient):
            unsent_soft_limit = LARGE // 2

        websocket, peer = connect(served, Roomy)
        block(websocket, 2 * LARGE)
        call = Call(websocket.send, b"late")
        wait_until(lambda: waiting_for(websocket) == 1)
        # Little by little, so that the loop comes to tell of it before all is read.
        while websocket._outlet.unsent > LARGE // 2:
            peer.sock.recv(20_000)
            threading.Event().wait(0.001)
        assert call.end() is None

    def test_of_many_threads_adds_no_more_than_a_message_of_each(self, served):
        websocket, peer = connect(served)
        block(websocket)
        calls = [Call(send_all, websocket, b"%d" % each, 20) for each in range(8)]
        wait_until(lambda: waiting_for(websocket) == 8)
        assert websocket._outlet.unsent <= LARGE + HEAD
        largest = 0
        received = [peer.read_frame()]
        while len(received) < 1 + 8 * 20:
            received.append(peer.read_frame())
            largest = max(largest, websocket._outlet.unsent)
        assert [call.end() for call in calls] == [None] * 8
        assert largest <= SOFT + 8 * (10_000 + HEAD)
        for each in range(8):
            assert sum(one.payload[:1] == b"%d" % each for one in received) == 20

    def test_is_limited(self, served):
        """The peer reads, but not as fast as that."""

        class Hasty(Patient):
            write_timeout = 0.5

        websocket, peer = connect(served, Hasty)
        block(websocket, 8 * LARGE)
        call = Call(websocket.send, "not sent")
        read = 0
        while call.is_alive():
            read += len(peer.sock.recv(16_384))
            threading.Event().wait(0.002)
        assert isinstance(call.end(), WriteTimeout)
        assert isinstance(call.error, TimeoutError)
        peer.read(8 * LARGE + HEAD - read)
        websocket.send("sent")
        assert peer.read_frame().payload == b"sent"
        assert websocket.ends == []

    def test_not_at_all_with_a_timeout_of_0(self, served):
        class Never(Patient):
            write_timeout = 0
            close_timeout = 0.1

        websocket, _ = connect(served, Never)
        block(websocket)
        with pytest.raises((WriteTimeout, ConnectionClosed)):
            websocket.send("x")
        assert websocket.wait_end() == GONE

    def test_without_a_soft_limit_nobody_waits(self, served):
        class Unlimited(Patient):
            unsent_soft_limit = None

        websocket, peer = connect(served, Unlimited)
        for _ in range(5):
            websocket.send(b"x" * LARGE, binary=True)
        assert not websocket._outlet.crowded
        assert websocket._outlet.unsent > 4 * LARGE
        assert [len(peer.read_frame().payload) for _ in range(5)] == [LARGE] * 5

    def test_with_a_soft_limit_of_0_for_the_last_byte(self, served):
        class Strict(Patient):
            unsent_soft_limit = 0

        websocket, peer = connect(served, Strict)
        block(websocket)
        call = Call(websocket.send, "late")
        wait_until(lambda: waiting_for(websocket) == 1)
        peer.read_frame()
        assert call.end() is None
        assert peer.read_frame().payload == b"late"
        peer.send(frame(TEXT, b"read again"))
        wait_until(lambda: websocket.messages == [b"read again"])

    def test_not_for_room_that_there_is_while_the_loop_is_busy(self, served):
        websocket, peer = connect(served)
        with held_up(served):
            block(websocket)
            read = 0
            while websocket._outlet.crowded:
                read += len(peer.sock.recv(100_000))
                # Only this sends, since the loop does not.
                call = Call(websocket.send, b"")
                wait_until(lambda call=call: not call.is_alive() or waiting_for(websocket))
            assert call.end() is None

    def test_in_opened_nobody_does(self, served):
        class Greeting(Patient):
            def opened(self):
                super().opened()
                for _ in range(3):
                    self.send(b"x" * LARGE, binary=True)

        _, peer = served.connect(Greeting, "socketpair")
        assert [len(peer.read_frame().payload) for _ in range(3)] == [LARGE] * 3

    def test_began_before_the_lane(self, served):
        """What was sent in opened() has filled the kernel, and early bytes are being served."""
        calls = []

        class Early(Patient):
            def opened(self):
                super().opened()
                self.send(b"x" * 400_000, binary=True)
                assert self._outlet.crowded

            def received_message(self, message):
                calls.append(Call(self.send, "late"))
                wait_until(lambda: waiting_for(self) == 1)
                # The rest has room in the kernel then, at one go.
                peer.buffer = peer.sock.recv(1 << 20)

        websocket, peer = served.make(Early, "socketpair")
        websocket.buf = frame(TEXT, b"early")
        served.manager.add(websocket)
        wait_until(lambda: calls)
        assert calls[0].end() is None
        assert len(peer.read_frame().payload) == 400_000
        assert peer.read_frame().payload == b"late"


class TestTheEndOfWaiting:
    @pytest.mark.parametrize(
        "how", ["reset", "closed by peer", "close", "terminate", "close_connection", "stop"]
    )
    def test_when_the_connection_ends(self, served, how):
        class Ending(Patient):
            close_timeout = 0.2

        served.manager.stop_timeout = 0.2
        websocket, peer = connect(served, Ending)
        block(websocket)
        calls = [Call(websocket.send, "late") for _ in range(3)]
        wait_until(lambda: waiting_for(websocket) == 3)
        if how == "reset":
            peer.sock.close()
        elif how == "closed by peer":
            peer.send(close_frame(1000))
            # It is not read from, as long as it does not read.
            peer.read_frame()
        elif how == "stop":
            served.manager.stop()
        else:
            getattr(websocket, how)()
        errors = [call.end() for call in calls]
        if how != "closed by peer":
            assert {type(error) for error in errors} == {ConnectionClosed}
        peer.sock.close()
        websocket.wait_end()
        wait_until(lambda: ledger(served).total == 0)

    def test_at_once_when_it_begins_to_close(self, served):
        """Nothing may be sent any more, though it may take long until the end."""

        class Lingering(Patient):
            close_timeout = DEADLINE

        websocket, peer = connect(served, Lingering)
        block(websocket)
        call = Call(websocket.send, "late")
        wait_until(lambda: waiting_for(websocket) == 1)
        websocket.close()
        assert isinstance(call.end(), ConnectionClosed)
        assert websocket.ends == []
        assert len(peer.read_frame().payload) == LARGE
        peer.answer_close()
        assert websocket.wait_end() == (1000, "")

    def test_when_the_manager_lets_it_go(self, served):
        websocket, peer = connect(served)
        block(websocket)
        call = Call(websocket.send, "late")
        wait_until(lambda: waiting_for(websocket) == 1)
        served.manager.remove(websocket)
        assert isinstance(call.end(), WriteTimeout)
        assert ledger(served).total == 0
        with serving() as other:
            other.manager.add(websocket)
            assert len(peer.read_frame().payload) == LARGE
            websocket.send("last")
            assert peer.read_frame().payload == b"last"
            peer.say_goodbye()
            peer.sock.close()
            websocket.wait_end()

    def test_what_the_kernel_does_not_take_is_counted_at_once(self, served):
        class Slow(Patient):
            # It is looked after far later than this test waits.
            write_timeout = 600

        websocket, _ = connect(served, Slow)
        block(websocket)
        wait_until(lambda: ledger(served).total >= websocket._outlet.unsent > 0)

    def test_behind_the_end_nothing_is_counted(self, served):
        websocket, _ = connect(served)
        block(websocket)
        channel = websocket._outlet
        channel._count()
        assert ledger(served).total >= channel.unsent
        websocket.terminate()
        websocket.wait_end()
        channel.make_room(1)
        channel._count()
        assert ledger(served).total == 0


def iter_of(*parts):
    yield from parts


def send_all(websocket, first, count):
    for _ in range(count):
        websocket.send(first + b"x" * 9_999, binary=True)
