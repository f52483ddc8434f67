"""workers: callbacks off the loop, in order, never two at once."""

import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import ConnectionClosed
from ws4py.manager import WebSocketManager

GONE = (1006, "Going away")


@pytest.fixture(name="workers", params=["number", "executor"])
def fixture_workers(request):
    if request.param == "number":
        yield 2
        return
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(name="served")
def fixture_served(workers):
    with serving(workers=workers) as served:
        yield served


class Gate(Recorder):
    """Its first message keeps a worker until the test lets it go."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.entered, self.go_on = threading.Event(), threading.Event()

    def received_message(self, message):
        self.entered.set()
        assert self.go_on.wait(DEADLINE)
        super().received_message(message)


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_a_blocked_handler_holds_up_its_own_connection_only(served, kind):
    blocked, peer = served.connect(Gate, kind)
    _, other = served.connect(Echo, kind)
    peer.send(frame(TEXT, b"wait"))
    assert blocked.entered.wait(DEADLINE)
    # Pings of the blocked one are answered meanwhile, and everything of the others.
    peer.send(frame(PING, b"there?"))
    assert peer.read_frame() == (PONG, b"there?", True, 0)
    for number in range(50):
        other.send(frame(TEXT, b"%d" % number))
        assert other.read_frame().payload == b"%d" % number
    assert blocked.messages == []
    blocked.go_on.set()
    wait_until(lambda: blocked.messages == [b"wait"])


def test_callbacks_are_in_order_and_never_two_at_once(served):
    inside = threading.Lock()

    class Ordered(Recorder):
        def received_message(self, message):
            assert inside.acquire(blocking=False)
            super().received_message(message)
            self.send(message.data)
            inside.release()

    websocket, peer = served.connect(Ordered)
    expected = [b"%d" % number for number in range(2000)]
    for payload in expected:
        peer.send(frame(TEXT, payload))
    assert [peer.read_frame().payload for _ in expected] == expected
    assert websocket.messages == expected
    assert threading.get_ident() not in websocket.threads


def test_none_runs_on_the_loops_thread(served):
    class Which(Recorder):
        def received_message(self, message):
            self.note("thread", threading.current_thread())

        def closed(self, code, reason=None):
            self.note("thread", threading.current_thread())
            super().closed(code, reason)

    websocket, peer = served.connect(Which)
    peer.send(frame(TEXT, b"x"))
    peer.say_goodbye()
    peer.sock.close()
    websocket.wait_end()
    threads = [event[1] for event in websocket.events if event[0] == "thread"]
    assert len(threads) == 2
    assert served.manager not in threads


def test_messages_before_a_close_frame_are_answered_before_it(served):
    gate, peer = served.connect(Gate)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2") + close_frame(4000))
    assert gate.entered.wait(DEADLINE)
    gate.go_on.set()
    assert peer.read_frame().close_code == 4000
    peer.sock.close()
    assert gate.wait_end() == (4000, "")
    assert gate.messages == [b"1", b"2"]


def test_violation_behind_messages(served):
    websocket, peer = served.connect(Echo)
    peer.send(frame(TEXT, b"1") + frame(3, b"?"))
    assert peer.read_frame().payload == b"1"
    assert peer.read_frame().close_code == 1002
    peer.sock.close()
    assert websocket.wait_end() == GONE


def test_a_peer_that_leaves_while_its_handler_is_at_it(served):
    gate, peer = served.connect(Gate)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    assert gate.entered.wait(DEADLINE)
    peer.sock.close()
    wait_until(lambda: gate._outlet is None or gate._outlet.retired)
    assert gate.ends == []
    gate.go_on.set()
    assert gate.wait_end() == GONE
    assert gate.messages == [b"1", b"2"]
    assert gate.was_released()


def test_replies_to_a_peer_that_has_left_are_no_errors(served, caplog):
    class Replying(Gate):
        def received_message(self, message):
            super().received_message(message)
            self.send(message.data)

    gate, peer = served.connect(Replying)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    assert gate.entered.wait(DEADLINE)
    peer.sock.close()
    wait_until(lambda: gate._outlet.retired)
    gate.go_on.set()
    assert gate.wait_end() == GONE
    assert gate.messages == [b"1", b"2"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_reading_pauses_while_the_handler_is_behind(served):
    class Small(Gate):
        max_queue = 4

    gate, peer = served.connect(Small)
    peer.send(frame(TEXT, b"first"))
    assert gate.entered.wait(DEADLINE)
    one = frame(BINARY, b"x" * 100_000)
    sent = peer.send_until_stuck(one)
    # What does not fit stays in the kernel, or with the peer; one read may bring one more.
    assert len(gate._outlet._queue) <= gate.max_queue + 2
    gate.go_on.set()
    wait_until(lambda: len(gate.messages) == 1 + sent // len(one))


def test_a_peer_that_goes_in_the_middle_of_a_flood_holds_up_nobody(served):
    """What has been put back for a handler that is behind is not waited for."""

    class Small(Gate):
        max_queue = 4

    gate, peer = served.connect(Small)
    _, other = served.connect(Echo)
    peer.send(frame(TEXT, b"x") * 1000)
    assert gate.entered.wait(DEADLINE)
    wait_until(lambda: gate._outlet.is_full)
    peer.reset()
    # Writing fails, which the loop hears of.
    with contextlib.suppress(ConnectionClosed):
        while True:
            gate.send("anybody there?")
    other.send(frame(TEXT, b"hi"))
    assert other.read_frame().payload == b"hi"
    gate.go_on.set()
    gate.wait_end()


def test_all_threads_are_there_with_the_first_call():
    """A pool that is full of one connection's calls would let others wait."""
    with serving(workers=3) as served:
        websocket, peer = served.connect(Echo)
        peer.send(frame(TEXT, b"hi"))
        wait_until(lambda: websocket.messages)
        wait_until(lambda: sum("-worker" in each.name for each in threading.enumerate()) == 3)


def test_bytes_in_the_queue_are_bounded_too(served):
    class Small(Gate):
        max_queue_size = 100_000

    gate, peer = served.connect(Small)
    peer.send(frame(TEXT, b"first"))
    assert gate.entered.wait(DEADLINE)
    peer.send(frame(BINARY, b"x" * 60_000) * 3)
    wait_until(lambda: gate._outlet.is_full)
    peer.send(frame(BINARY, b"y" * 60_000) * 3)
    gate.go_on.set()
    wait_until(lambda: len(gate.messages) == 7)


def test_one_read_does_not_fill_the_queue_beyond_its_limit(served):
    class Small(Gate):
        max_queue = 4

    gate, peer = served.connect(Small)
    peer.send(frame(TEXT, b"first"))
    assert gate.entered.wait(DEADLINE)
    peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(1000)))
    wait_until(lambda: gate._outlet.is_full)
    assert len(gate._outlet._queue) <= 2 * gate.max_queue
    gate.go_on.set()
    wait_until(lambda: len(gate.messages) == 1001)
    assert gate.messages[1:] == [b"%d" % number for number in range(1000)]


def test_whom_we_do_not_read_from_is_not_silent(served):
    class Small(Gate):
        max_queue = 2
        ping_interval = ping_timeout = 0.1

    gate, peer = served.connect(Small)
    peer.send(frame(TEXT, b"x") * 50)
    assert gate.entered.wait(DEADLINE)
    silent, _ = served.connect(Recorder, heartbeat_freq=0.3)
    silent.wait_end()
    assert gate.ends == []
    gate.go_on.set()
    wait_until(lambda: len(gate.messages) == 50)


def test_a_heartbeats_pong_does_not_wait_for_the_handler(served):
    class Pinging(Gate):
        ping_interval, ping_timeout = 0.05, None

    gate, peer = served.connect(Pinging)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    assert gate.entered.wait(DEADLINE)
    peer.send(frame(PONG, b"mine"))

    def is_measured():
        peer.send(frame(PONG, peer.read_frame().payload))
        return gate.latency is not None

    wait_until(is_measured)
    assert gate.events == [("opened",)]
    gate.go_on.set()
    wait_until(lambda: len(gate.events) == 4)
    assert gate.events[1:] == [("message", b"1"), ("message", b"2"), ("ponged", b"mine")]


def test_after_a_reset_nothing_is_delivered(served):
    gate, peer = served.connect(Gate, heartbeat_freq=0.1)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3"))
    assert gate.entered.wait(DEADLINE)
    wait_until(lambda: gate._outlet.retired)
    gate.go_on.set()
    assert gate.wait_end() == GONE
    assert gate.messages == [b"1"]


def test_raising_handler(served, caplog):
    class Raising(Recorder):
        def received_message(self, message):
            raise ValueError("mine")

    websocket, peer = served.connect(Raising)
    peer.send(frame(TEXT, b"1"))
    assert peer.read_frame().close_code == 1011
    peer.sock.close()
    assert websocket.wait_end() == GONE
    assert [r.exc_info[0] for r in caplog.records if r.exc_info] == [ValueError]


@pytest.mark.parametrize("act", ["close", "terminate", "close_connection"])
def test_ended_by_its_own_handler(served, act):
    class Ending(Recorder):
        def received_message(self, message):
            super().received_message(message)
            getattr(self, act)()

    websocket, peer = served.connect(Ending)
    peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
    opcodes = [peer.answer_close().opcode] if act == "close" else []
    peer.sock.close()
    assert opcodes == [CLOSE] * (act == "close")
    assert websocket.wait_end() == ((1000, "") if act == "close" else GONE)
    assert websocket.messages == [b"1"] or act != "close"


def test_stop_with_a_handler_that_is_still_at_it(workers, caplog):
    with serving(workers=workers) as served:
        served.manager.stop_timeout = 0.2
        gate, peer = served.connect(Gate)
        peer.send(frame(TEXT, b"1"))
        assert gate.entered.wait(DEADLINE)
        served.manager.stop()
        served.manager.join(DEADLINE)
        assert not served.manager.is_alive()
        assert "still in a callback" in caplog.text
        assert peer.read_frame().close_code == 1001
        assert peer.at_end()
        gate.go_on.set()
        assert gate.wait_end() == GONE


def test_stop_waits_for_callbacks_that_end():
    class Slow(Recorder):
        def closed(self, code, reason=None):
            threading.Event().wait(0.2)
            super().closed(code, reason)

    with serving(workers=1) as served:
        websockets = [served.connect(Slow)[0] for _ in range(5)]
        for peer in served.peers:
            peer.sock.close()
        wait_until(lambda: any(each.ends for each in websockets))
        served.manager.stop()
        served.manager.join(DEADLINE)
        assert all(each.ends for each in websockets)
        # And once more.
        served.manager.start()
        _, peer = served.connect(Echo)
        peer.send(frame(TEXT, b"again"))
        assert peer.read_frame().payload == b"again"


def test_an_executor_that_was_shut_down(caplog):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with serving(workers=executor) as served:
        websocket, peer = served.connect(Echo)
        peer.send(frame(TEXT, b"1"))
        assert peer.read_frame().payload == b"1"
        peer.say_goodbye()
        peer.sock.close()
        websocket.wait_end()
    assert "no worker" in caplog.text


def test_an_executor_that_is_shut_down_with_calls_waiting(caplog):
    executor = ThreadPoolExecutor(1)
    with serving(workers=executor) as served:
        gate, first = served.connect(Gate)
        first.send(frame(TEXT, b"1"))
        assert gate.entered.wait(DEADLINE)
        others = [served.connect(Echo) for _ in range(3)]
        for _, peer in others:
            peer.send(frame(TEXT, b"2"))
        wait_until(lambda: all(each._outlet._queue for each, _ in others))
        executor.shutdown(wait=False, cancel_futures=True)
        # Nothing is lost, and whoever is blocked goes on blocking itself only.
        for _, peer in others:
            assert peer.read_frame().payload == b"2"
            peer.sock.close()
        assert {each.wait_end() for each, _ in others} == {GONE}
        assert all(each.was_released() for each, _ in others)
        gate.go_on.set()
        first.sock.close()
        gate.wait_end()
        served.manager.stop()
        served.manager.join(DEADLINE)
    assert "was cancelled" in caplog.text
    assert "still in a callback" not in caplog.text


def test_sending_waits_for_the_peer_in_the_handler(served):
    class Streaming(Recorder):
        def received_message(self, message):
            for _ in range(100):
                self.send(b"x" * 100_000, binary=True)
                self.note("unsent", self._outlet.unsent)

    websocket, peer = served.connect(Streaming)
    peer.send(frame(TEXT, b"go"))
    for _ in range(100):
        assert len(peer.read_frame().payload) == 100_000
    assert max(event[1] for event in websocket.events if event[0] == "unsent") <= (
        websocket.unsent_soft_limit + 100_010
    )


@pytest.mark.parametrize(("given", "error"), [(0, ValueError), (-1, ValueError), ("4", TypeError)])
def test_nonsense(given, error):
    with pytest.raises(error):
        WebSocketManager(workers=given)


def test_without_workers_a_handler_that_holds_up_the_loop_is_named(caplog):
    class Dawdler(Recorder):
        def received_message(self, message):
            threading.Event().wait(0.15)

    with serving() as served, caplog.at_level(logging.WARNING):
        _, peer = served.connect(Dawdler)
        peer.send(frame(TEXT, b"1"))
        wait_until(lambda: "Dawdler" in caplog.text)
        peer.send(frame(TEXT, b"2") + close_frame())
        peer.read_frame()
    assert caplog.text.count("Dawdler") == 1
    assert "workers=N" in caplog.text
