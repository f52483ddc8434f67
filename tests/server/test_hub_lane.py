"""The fast lane under gevent's hub: what holds for the loop's, and callbacks that wait."""

import os

import gevent
import gevent.socket
import pytest
from gevent.event import Event

from tests._engine import test_lane, test_lane_turns, test_pressure
from tests.support.hub_serving import hub_engine
from tests.support.lanes import ENGINES, held_up, in_lane
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder
from tests.support.sockets import tcp_pair
from tests.support.waiting import wait_until
from ws4py._engine.lane import fits
from ws4py._transport import transport_for
from ws4py.server._hub_lane import HubLane
from ws4py.websocket import WebSocket


@pytest.fixture(name="served", params=ENGINES)
def fixture_served(request):
    with hub_engine(request.param) as served:
        yield served


@pytest.fixture(name="echo")
def fixture_echo(served):
    websocket, peer = served.connect(Echo)
    in_lane(served, websocket)
    return websocket, peer


@pytest.fixture(name="fast")
def fixture_fast():
    with hub_engine("lane") as served:
        yield served


class Waiting(Echo):
    """Lets messages that begin with "wait" wait for the test, one at a time."""

    def opened(self):
        super().opened()
        self.go_on = Event()
        self.greenlet = None
        self.running = 0

    def received_message(self, message):
        self.running += 1
        assert self.running == 1
        try:
            if message.data.startswith(b"wait"):
                self.greenlet = gevent.getcurrent()
                self.go_on.wait()
            super().received_message(message)
        finally:
            self.running -= 1


def begin(served, *payloads, cls=Waiting, opcode=TEXT):
    """A connection that has sent this together, and whose callback waits."""
    websocket, peer = served.connect(cls)
    in_lane(served, websocket)
    peer.send(b"".join(frame(opcode, payload) for payload in payloads))
    wait_until(lambda: websocket.greenlet is not None)
    return websocket, peer


def echoed(served, text=b"other"):
    """Another connection that is served meanwhile."""
    _, peer = served.connect(Echo)
    peer.send(frame(TEXT, text))
    assert peer.read_frame().payload == text


def payloads(peer, count):
    return [peer.read_frame().payload for _ in range(count)]


# -- What holds for every lane ---------------------------------------------------


class TestReceiving(test_lane.TestReceiving):
    pass


class TestLargeMessages(test_lane.TestLargeMessages):
    pass


class TestSending(test_lane.TestSending):
    pass


class TestAnswering(test_pressure.TestAnswering):
    pass


class TestEnds(test_lane.TestEnds):
    # Nobody leaves a pool.
    test_a_handler_that_leaves_the_manager = None


class TestBackPressure(test_lane_turns.TestBackPressure):
    pass


class TestLostConnections(test_lane_turns.TestLostConnections):
    # gevent closes a descriptor later.
    test_nothing_is_sent_to_whoever_has_the_number_now = None
    # For the loop itself.
    test_an_error_of_ours_costs_one_connection = None


class TestThreads(test_lane_turns.TestThreads):
    # Nobody leaves a pool.
    test_from_one_manager_to_another = None


# -- Callbacks that wait ---------------------------------------------------------


class TestWaiting:
    def test_the_order_is_kept_and_others_go_on(self, served):
        websocket, peer = begin(served, b"1", b"wait", b"2", b"3")
        peer.send(frame(TEXT, b"4"))
        echoed(served)
        peer.send(frame(TEXT, b"5"))
        echoed(served)
        assert websocket.messages == [b"1"]
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 6) == [b"1", b"wait", b"2", b"3", b"4", b"5"]
        assert websocket.messages == [b"1", b"wait", b"2", b"3", b"4", b"5"]
        peer.send(frame(TEXT, b"6"))
        assert payloads(peer, 1) == [b"6"]

    def test_each_message_of_a_burst_may_wait(self, served):
        class Sleepy(Waiting):
            def received_message(self, message):
                self.greenlet = gevent.getcurrent()
                gevent.sleep(0)
                super().received_message(message)

        sent = [b"%d" % number for number in range(100)]
        peers = [begin(served, *sent, cls=Sleepy)[1] for _ in range(5)]
        for peer in peers:
            peer.send(frame(TEXT, b"last"))
        for peer in peers:
            assert payloads(peer, 101) == [*sent, b"last"]

    def test_replies_before_it_have_left(self, served):
        websocket, peer = begin(served, b"1", b"2", b"wait", b"3")
        assert payloads(peer, 2) == [b"1", b"2"]
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 2) == [b"wait", b"3"]

    def test_replies_of_others_in_the_same_turn_have_left(self, served):
        _, first_peer = served.connect(Waiting)
        others = [served.connect(Waiting) for _ in range(10)]
        in_lane(served, *served.websockets)
        with held_up(served):
            first_peer.send(frame(TEXT, b"1"))
            for _, peer in others:
                peer.send(frame(TEXT, b"1") + frame(TEXT, b"wait") + frame(TEXT, b"2"))
        assert payloads(first_peer, 1) == [b"1"]
        for _, peer in others:
            assert payloads(peer, 1) == [b"1"]
        wait_until(lambda: all(websocket.running for websocket, _ in others))
        first_peer.send(frame(TEXT, b"2"))
        assert payloads(first_peer, 1) == [b"2"]
        for websocket, peer in reversed(others):
            served.hub.call(websocket.go_on.set)
            assert payloads(peer, 2) == [b"wait", b"2"]

    @pytest.mark.parametrize("who", ["thread", "greenlet", "callback"])
    def test_whoever_sends_meanwhile_does_so_at_once(self, served, who):
        websocket, peer = begin(served, b"wait", b"wait too")

        class Telling(Recorder):
            def received_message(self, message):
                websocket.send(message.data)
                self.send("told")

        for text in (b"x", b"y" * 100_000):
            if who == "thread":
                websocket.send(text)
            elif who == "greenlet":
                served.hub.call(websocket.send, text)
            else:
                teller = served.connect(Telling)[1]
                teller.send(frame(TEXT, text))
                assert payloads(teller, 1) == [b"told"]
            assert payloads(peer, 1) == [text]
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 2) == [b"wait", b"wait too"]

    def test_it_sends_itself_when_others_have_been_served(self, served):
        """A handler that goes on is not taken for the one that ran last, and the reverse."""
        first, first_peer = begin(served, b"wait 1")
        second, second_peer = begin(served, b"wait 2")
        served.hub.call(first.go_on.set)
        assert payloads(first_peer, 1) == [b"wait 1"]
        first_peer.send(frame(TEXT, b"ready"))
        assert payloads(first_peer, 1) == [b"ready"]
        served.hub.call(second.go_on.set)
        assert payloads(second_peer, 1) == [b"wait 2"]

    def test_in_a_large_message(self, served):
        large = b"wait" * 100_000
        websocket, peer = begin(served, large, b"1", opcode=BINARY)
        peer.send(frame(BINARY, large[4:]))
        echoed(served)
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 3) == [large, b"1", large[4:]]

    def test_in_frames_that_the_lane_leaves_to_python(self, served):
        websocket, peer = served.connect(Waiting)
        in_lane(served, websocket)
        peer.send(
            frame(TEXT, b"wa", fin=False)
            + frame(PING, b"p")
            + frame(CONTINUATION, b"it")
            + frame(TEXT, b"1")
            + frame(CONTINUATION, b"wrong")
        )
        wait_until(lambda: websocket.greenlet is not None)
        echoed(served)
        assert websocket.messages == []
        served.hub.call(websocket.go_on.set)
        replies = [peer.read_frame() for _ in range(4)]
        assert [each.opcode for each in replies] == [PONG, TEXT, TEXT, CLOSE]
        assert replies[3].close_code == 1002
        assert websocket.messages == [b"wait", b"1"]

    def test_a_peer_that_does_not_read_while_a_callback_waits(self, served):
        websocket, peer = begin(served, b"wait", b"1")
        websocket.send(b"x" * 5_000_000, True)
        assert websocket._outlet.unsent
        peer.send(frame(TEXT, b"2"))
        echoed(served)
        # Output goes on while the callback waits.
        assert len(peer.read_frame().payload) == 5_000_000
        assert websocket.messages == []
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 3) == [b"wait", b"1", b"2"]

    @pytest.mark.parametrize("end", ["close", "reset", "more"])
    def test_the_hub_is_at_rest_while_a_peer_has_to_wait(self, fast, monkeypatch, end):
        turns = []
        readable = HubLane._readable
        monkeypatch.setattr(HubLane, "_readable", lambda self: turns.append(self) or readable(self))
        websocket, peer = begin(fast, b"wait", b"1")
        if end == "more":
            peer.send(frame(TEXT, b"2"))
        else:
            (peer.reset if end == "reset" else peer.sock.close)()
        echoed(fast)
        before = len(turns)
        fast.hub.call(gevent.sleep, 0.05)
        assert len(turns) - before <= 3
        fast.hub.call(websocket.go_on.set)
        wait_until(lambda: websocket.messages[:2] == [b"wait", b"1"])
        if end != "more":
            assert websocket.wait_end()[0] == 1006


class TestEndsWhileACallbackWaits:
    def test_a_close_frame_behind_it(self, served):
        websocket, peer = begin(served, b"wait", b"1")
        peer.send(close_frame(1000) + frame(TEXT, b"never"))
        echoed(served)
        served.hub.call(websocket.go_on.set)
        assert payloads(peer, 2) == [b"wait", b"1"]
        assert peer.read_frame().opcode == CLOSE
        peer.sock.close()
        assert websocket.wait_end() == (1000, "")
        assert websocket.messages == [b"wait", b"1"]

    @pytest.mark.parametrize("elsewhere", [False, True], ids=["greenlet", "thread"])
    def test_closed_by_somebody_else(self, served, elsewhere):
        class Silent(Waiting):
            def received_message(self, message):
                self.send = lambda *_: None
                super().received_message(message)

        websocket, peer = begin(served, b"wait", b"never", cls=Silent)
        if elsewhere:
            websocket.close(4000)
        else:
            served.hub.call(websocket.close, 4000)
        assert peer.read_frame().close_code == 4000
        peer.send(frame(TEXT, b"nor this") + close_frame(4000))
        echoed(served)
        served.hub.call(websocket.go_on.set)
        assert peer.at_end()
        peer.sock.close()
        assert websocket.wait_end() == (4000, "")
        assert websocket.messages == [b"wait"]

    def test_its_greenlet_is_killed(self, served):
        websocket, peer = begin(served, b"1", b"wait", b"never")
        other, other_peer = begin(served, b"wait", b"1")
        served.hub.call(websocket.greenlet.kill)
        assert websocket.wait_end()[0] == 1006
        assert websocket.messages == [b"1"]
        served.hub.call(other.go_on.set)
        assert payloads(other_peer, 2) == [b"wait", b"1"]
        assert payloads(peer, 1) == [b"1"]
        assert peer.at_end()

    @pytest.mark.parametrize("error", [gevent.GreenletExit, gevent.Timeout])
    def test_it_raises_what_ends_a_greenlet(self, fast, error):
        """Whoever was to be served behind it in the same turn is."""

        class Leaving(Recorder):
            def received_message(self, message):
                raise error

        leaving = [fast.connect(Leaving) for _ in range(3)]
        others = [fast.connect(Echo) for _ in range(3)]
        in_lane(fast, *fast.websockets)
        with held_up(fast):
            for _, peer in [*leaving, *others]:
                peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        for _, peer in others:
            assert payloads(peer, 2) == [b"1", b"2"]
        for websocket, _ in leaving:
            assert websocket.wait_end()[0] == 1006

    def test_stop(self, served):
        served.manager.stop_timeout = 0.1
        websocket, peer = begin(served, b"wait", b"1")
        idle, idle_peer = served.connect()
        idle_peer.send(close_frame(1001))
        served.manager.stop()
        assert peer.read_frame().close_code == 1001
        assert not websocket.ends
        served.hub.call(websocket.go_on.set)
        assert websocket.wait_end()[0] == 1006
        idle.wait_end()

    def test_its_peer_is_silent(self, served):
        websocket, peer = served.connect(Waiting, heartbeat_freq=0.05)
        in_lane(served, websocket)
        peer.send(frame(TEXT, b"wait"))
        wait_until(lambda: websocket.greenlet is not None)
        # Nobody reads what it may say while the callback waits, so it is not taken for silent.
        other, _ = served.connect(WebSocket, heartbeat_freq=0.2)
        wait_until(lambda: other.terminated)
        assert not websocket.ends
        served.hub.call(websocket.go_on.set)
        assert websocket.wait_end()[0] == 1006


class TestDescriptors:
    def test_gevents_sockets_fit(self, fast):
        websocket, _ = fast.make(WebSocket)
        assert fits(websocket, fast.hub.call(transport_for, websocket.sock))

        class Own(gevent.socket.socket):
            def recv(self, *arguments):
                return super().recv(*arguments)

        own = fast.hub.call(lambda: Own(fileno=websocket.sock.detach()))
        assert not fits(websocket, fast.hub.call(transport_for, own))
        fast.hub.call(own.close)

    def test_an_idle_connection_has_no_watcher(self, fast):
        websocket, peer = begin(fast, b"wait")
        fast.hub.call(websocket.go_on.set)
        assert payloads(peer, 1) == [b"wait"]
        assert websocket._outlet._reader is None
        wait_until(lambda: websocket._outlet._worker is None)

    def test_the_lane_has_one_while_it_is_used(self, fast):
        lane = fast.pool._hub.lane
        for _ in range(2):
            assert lane._epoll is None
            websocket, peer = begin(fast, b"wait", b"1")
            assert lane._epoll.fileno() > 0
            peer.sock.close()
            fast.hub.call(websocket.go_on.set)
            websocket.wait_end()
            wait_until(lambda: lane._epoll is None)

    def test_one_that_the_program_has_closed(self, served):
        class Closing(Recorder):
            def opened(self):
                super().opened()
                self.sock.close()

        websocket, _ = served.connect(Closing)
        assert websocket.wait_end()[0] == 1006
        echoed(served)

    def test_one_that_comes_again(self, fast):
        websocket, _ = fast.connect()
        in_lane(fast, websocket)
        fd = websocket.sock.fileno()
        fast.hub.call(websocket.sock.close)
        sock, raw = tcp_pair()
        with raw:
            raw.settimeout(20)
            if sock.fileno() != fd:
                os.dup2(sock.fileno(), fd)
                sock.close()
            else:
                sock.detach()
            other, peer = fast.make(Echo)
            fast.hub.call(other.sock.close)
            peer.sock.close()
            peer.sock = raw
            other.sock = fast.hub.call(lambda: gevent.socket.socket(fileno=fd))
            fast.manager.add(other)
            assert websocket.wait_end()[0] == 1006
            peer.send(frame(TEXT, b"1"))
            assert payloads(peer, 1) == [b"1"]
