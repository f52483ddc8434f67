"""What meets in one turn of a loop, or in several threads: the lane and the portable engine."""

import contextlib
import os
import socket
import threading
from unittest import mock

import pytest

from tests.support.lanes import ENGINES, engine, held_up, in_lane, is_lane
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder
from tests.support.toy import Toy
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.flow import Flow
from ws4py.messaging import prepare

HELD = 64 * 1024


@pytest.fixture(name="served", params=ENGINES)
def fixture_served(request):
    with engine(request.param) as served:
        yield served


def in_threads(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()


def acting_on(other, act):
    """A class whose handler does something to another connection."""

    class Acting(Recorder):
        def received_message(self, message):
            super().received_message(message)
            act(other)

    return Acting


class TestAnotherInTheSameTurn:
    """The other one's data has been received already when its end is decided."""

    @pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
    @pytest.mark.parametrize("act", ["close", "terminate", "close_connection"])
    def test_ended(self, served, act, large):
        other, other_peer = served.connect()
        ender, peer = served.connect(acting_on(other, lambda each: getattr(each, act)()))
        in_lane(served, other, ender)
        data = frame(BINARY, b"x" * 300_000) if large else frame(TEXT, b"never")
        begun = 1000 if large else 0
        if large:
            other_peer.send(data[:begun])
            wait_until(lambda: not is_lane(served) or other._take.buffered)
        with held_up(served):
            peer.send(frame(TEXT, b"now"))
            other_peer.send(data[begun:])
        if act == "close":
            assert other_peer.read_frame().opcode == CLOSE
            other_peer.send(close_frame(1000))
            other_peer.sock.close()
        other.wait_end()
        assert other.messages == []
        assert ender.messages == [b"now"]

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_taken_away_in_the_middle_of_a_large_message(self, served, opcode):
        other, other_peer = served.connect()
        remover, peer = served.connect(acting_on(other, served.manager.remove))
        in_lane(served, other, remover)
        payload = bytes(range(1, 128)) * 2400
        data = frame(opcode, payload)
        other_peer.send(data[:1000])
        wait_until(lambda: not is_lane(served) or other._take.buffered)
        with held_up(served):
            peer.send(frame(TEXT, b"x"))
            other_peer.send(data[1000:50_000])
        wait_until(lambda: remover.messages and other._take is None)
        other.sock.setblocking(True)
        in_threads(lambda: other_peer.send(data[50_000:]), lambda: self._receive(other))
        assert other.messages == [payload]
        other.terminate()

    def _receive(self, websocket):
        while not websocket.messages:
            assert websocket.process(websocket.sock.recv(65536))

    def test_taken_away_between_messages(self, served):
        other, other_peer = served.connect()
        remover, peer = served.connect(acting_on(other, served.manager.remove))
        in_lane(served, other, remover)
        data = frame(TEXT, b"1") + frame(TEXT, b"2")
        with held_up(served):
            peer.send(frame(TEXT, b"x"))
            other_peer.send(data[:10])
        wait_until(lambda: remover.messages and other._take is None)
        other_peer.send(data[10:])
        other.sock.setblocking(True)
        while len(other.messages) < 2:
            assert other.process(other.sock.recv(100))
        assert other.messages == [b"1", b"2"]
        other.terminate()

    def test_taken_away_by_another_thread(self, served):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        channel = websocket._outlet
        with held_up(served):
            peer.send(frame(TEXT, b"1"))
            served.manager.remove(websocket)
        wait_until(lambda: channel.retired)
        with contextlib.suppress(BlockingIOError):
            websocket.process(websocket.sock.recv(100))
        assert websocket.messages == [b"1"]
        websocket.terminate()

    def test_closed_by_another_thread_while_a_large_message_comes(self, served):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        data = frame(BINARY, b"x" * 300_000)
        peer.send(data[:1000])
        wait_until(lambda: not is_lane(served) or websocket._take.buffered)
        with held_up(served):
            websocket.close()
            peer.send(data[1000:])
        assert peer.read_frame().opcode == CLOSE
        peer.send(close_frame())
        peer.sock.close()
        websocket.wait_end()
        assert websocket.messages == []


class TestFairness:
    def test_whoever_sends_little_comes_between_those_who_send_much(self, served):
        class Late(Recorder):
            def received_message(self, message):
                super().received_message(message)
                self.before = max(len(each.messages) for each in greedy)

        greedy = [served.make()[0] for _ in range(2)]
        websocket, peer = served.make(Late)
        # Frames of 1 KiB, so that none is cut by what is received at once.
        data = frame(BINARY, b"x" * 1016) * 350
        for each in greedy:
            each.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, len(data))
        for each in served.websockets:
            served.manager.add(each)
        in_lane(served, *served.websockets)
        with held_up(served):
            for each in served.peers[:2]:
                each.send(data)
            peer.send(frame(TEXT, b"little"))
        wait_until(lambda: websocket.messages)
        assert websocket.before <= 256
        wait_until(lambda: all(len(each.messages) == 350 for each in greedy))

    def test_many_at_once(self, served):
        many = [served.connect(Echo) for _ in range(100)]
        in_lane(served, *(websocket for websocket, _ in many))
        data = frame(BINARY, b"x" * 1016) * 50
        with held_up(served):
            for _, peer in many:
                peer.send(data)
        for _, peer in many:
            for _ in range(50):
                assert len(peer.read_frame().payload) == 1016


class TestBackPressure:
    @pytest.mark.parametrize("size", [100, 4096, 70_000])
    def test_no_more_is_taken_than_is_sent(self, served, size):
        """A peer that reads while it sends cannot make a queue grow either."""
        total = min(24_000_000 // size, 100_000)
        queued = []

        class Watched(Echo):
            def received_message(self, message):
                self.send(message.data, binary=True)
                queued.append(self._outlet.unsent)

        websocket, peer = served.connect(Watched)
        in_lane(served, websocket)
        data = frame(BINARY, b"x" * size)
        reply = frame(BINARY, b"x" * size, mask=False)
        # Sent in batches, for a frame costs the test more than it costs the lane.
        batch = 1 + 500_000 // size
        received = []

        def read():
            left = total // batch * batch * len(reply)
            while left:
                chunk = peer.sock.recv(1 << 20)
                left -= len(chunk)
                received.append(chunk)

        def write():
            for _ in range(total // batch):
                peer.send(data * batch)

        in_threads(read, write)
        assert b"".join(received) == reply * (total // batch * batch)
        # What one turn takes, twice, and what may be queued before that.
        assert max(queued) <= HELD + 2 * 256 * 1024 + 2 * size

    def test_a_peer_that_does_not_read_for_a_while(self, served):
        websocket, peer = served.connect(Echo)
        in_lane(served, websocket)
        payloads = [os.urandom(5000) for _ in range(2000)]
        data = b"".join(frame(BINARY, payload) for payload in payloads)
        writer = threading.Thread(target=peer.send, args=(data,))
        writer.start()
        wait_until(lambda: websocket._outlet.unsent > HELD)
        assert [peer.read_frame().payload for _ in payloads] == payloads
        writer.join(DEADLINE)
        assert websocket.messages == payloads


class TestLostConnections:
    def test_a_reset_while_sending(self, served):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        websocket.send(b"x" * 20_000_000, True)
        assert websocket._outlet.unsent
        peer.reset()
        assert websocket.wait_end()[0] == 1006

    def test_a_send_that_fails_at_the_end_of_a_turn(self, served):
        """Nothing else will ever tell the loop."""

        class Ends(Recorder):
            def received_message(self, message):
                if message.data == b"1":
                    self.sock.shutdown(socket.SHUT_WR)
                self.send("x")

        websocket, peer = served.connect(Ends)
        in_lane(served, websocket)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        assert websocket.wait_end()[0] == 1006

    def test_nothing_is_sent_to_whoever_has_the_number_now(self, served):
        read, write = os.pipe()
        websocket, _ = served.connect()
        in_lane(served, websocket)
        fd = websocket.sock.fileno()
        websocket.sock.close()
        # A descriptor of the program's own under the number that the socket had.
        os.dup2(write, fd)
        with contextlib.suppress(OSError, RuntimeError):
            websocket.send("secret")
        websocket.wait_end()
        os.close(write)
        os.close(fd)
        try:
            assert os.read(read, 100) == b""
        finally:
            os.close(read)

    def test_an_error_of_ours_costs_one_connection(self, monkeypatch, caplog):
        with engine("lane") as served:
            websocket, peer = served.connect()
            other, other_peer = served.connect(Echo)
            in_lane(served, websocket, other)
            monkeypatch.setattr(Flow, "feed", mock.Mock(side_effect=ValueError("ours")))
            peer.send(frame(TEXT, b"begun", fin=False))
            assert websocket.wait_end()[0] == 1006
            assert "internal error" in caplog.text
            other_peer.send(frame(TEXT, b"still here"))
            assert other_peer.read_frame().payload == b"still here"


def test_flood_of_pings_by_a_peer_that_does_not_read(served):
    websocket, peer = served.connect()
    in_lane(served, websocket)
    peer.send_until_stuck(frame(PING, b"x" * 125))
    # All but the last of many pings may go without an answer (section 5.5.3): of each slice.
    assert websocket._outlet.unsent <= websocket.unsent_soft_limit + 4 * 127


class TestThreads:
    @pytest.mark.slow
    def test_order_of_each_thread_is_kept(self, served):
        """50,000 messages of four threads and of the loop itself."""
        each = 10_000

        class Sender(Recorder):
            def received_message(self, message):
                self.send(message.data)

        websocket, peer = served.connect(Sender)
        in_lane(served, websocket)
        seen = {name: [] for name in "abcdl"}

        def send(name):
            for number in range(each):
                websocket.send(f"{name}{number}")

        def request():
            for start in range(0, each, 100):
                peer.send(b"".join(frame(TEXT, b"l%d" % n) for n in range(start, start + 100)))

        def read():
            buffer, count = b"", 0
            while count < 5 * each:
                buffer += peer.sock.recv(1 << 20)
                at = 0
                while at + 2 <= len(buffer) and at + 2 + buffer[at + 1] <= len(buffer):
                    payload = buffer[at + 2 : at + 2 + buffer[at + 1]].decode()
                    seen[payload[0]].append(int(payload[1:]))
                    at += 2 + buffer[at + 1]
                    count += 1
                buffer = buffer[at:]

        in_threads(read, request, *(lambda name=name: send(name) for name in "abcd"))
        assert all(numbers == list(range(each)) for numbers in seen.values())

    def test_fragments_of_one_and_messages_of_others(self, served):
        websocket, peer = served.connect(Echo)
        in_lane(served, websocket)
        rounds = 200

        def fragmented():
            for _ in range(rounds):
                websocket.send(part for part in ["f1", "f2", "f3"])

        def whole():
            for _ in range(rounds):
                websocket.send("whole")

        def request():
            for _ in range(rounds):
                peer.send(frame(TEXT, b"echo"))

        got = []

        def read():
            message = None
            while len(got) < 3 * rounds:
                one = peer.read_frame()
                if one.opcode == CONTINUATION:
                    message += one.payload
                else:
                    assert message is None
                    message = one.payload
                if one.fin:
                    got.append(message)
                    message = None

        in_threads(read, fragmented, whole, request)
        assert sorted(got) == sorted([b"f1f2f3", b"whole", b"echo"] * rounds)

    def test_from_one_manager_to_another(self, served):
        """The second loop begins when the first one has taken its leave."""
        websocket, peer = served.make(Echo)
        served.manager.add(websocket)
        in_lane(served, websocket)
        before = websocket._outlet
        with engine("lane" if is_lane(served) else "portable") as second:
            with held_up(served):
                served.manager.remove(websocket)
                second.manager.add(websocket)
            in_lane(second, websocket)
            assert before.retired
            for number in range(10):
                peer.send(frame(TEXT, b"%d" % number))
                assert peer.read_frame().payload == b"%d" % number
            websocket.events.remove(("opened",))
            peer.sock.close()
            websocket.wait_end()

    @pytest.mark.parametrize("message", ["text", "x" * 100_000, prepare("made once")])
    @pytest.mark.parametrize("elsewhere", [False, True], ids=["loop", "thread"])
    def test_broadcasts(self, served, message, elsewhere):
        class Caller(Recorder):
            def received_message(self, received):
                served.manager.broadcast(message)

        peers = [served.connect()[1] for _ in range(20)]
        caller, peer = served.connect(Caller)
        in_lane(served, *served.websockets)
        if elsewhere:
            served.manager.broadcast(message)
        else:
            peer.send(frame(TEXT, b"now"))
        expected = getattr(message, "data", None) or message.encode()
        for each in [*peers, peer]:
            assert each.read_frame() == (TEXT, expected, True, 0)
        assert caller.messages == []

    @pytest.mark.parametrize("elsewhere", [False, True], ids=["loop", "thread"])
    def test_broadcasts_to_those_with_an_extension(self, served, elsewhere):
        class Caller(Recorder):
            def received_message(self, received):
                served.manager.broadcast("text")

        websocket, peer = served.make(Caller)
        websocket.stream.connection.extension = Toy()
        served.manager.add(websocket)
        wait_until(lambda: websocket._outlet._registered)
        # Few of its messages are plain.
        assert websocket._take is None
        if elsewhere:
            served.manager.broadcast("text")
        else:
            peer.send(frame(TEXT, b"now"))
        assert peer.read_frame() == (TEXT, bytes(each ^ 0x55 for each in b"text"), True, 4)

    def test_what_many_have_in_their_queues_is_not_copied_when_one_leaves(self, served):
        class Patient(Recorder):
            unsent_hard_limit = None

        websocket, peer = served.connect(Patient)
        in_lane(served, websocket)
        message = prepare(b"x" * 1_000_000, True)
        for _ in range(20):
            served.manager.broadcast(message)
        websocket.close(4000)
        wait_until(lambda: websocket._take is None)
        kept = websocket._outlet._outbox._pieces
        assert [each is message.frame(None) for each in kept].count(True) >= 5
        assert [len(peer.read_frame().payload) for _ in range(20)] == [1_000_000] * 20
        assert peer.answer_close().close_code == 4000

    def test_a_broadcast_passes_those_that_do_not_read(self, served):
        websocket, peer = served.connect()
        reader = served.connect()[1]
        in_lane(served, *served.websockets)
        websocket.send(b"x" * 20_000_000, True)
        for number in range(50):
            served.manager.broadcast(str(number))
        assert [reader.read_frame().payload for _ in range(50)] == [b"%d" % n for n in range(50)]
        assert len(peer.read_frame().payload) == 20_000_000
        assert [peer.read_frame().payload for _ in range(50)] == [b"%d" % n for n in range(50)]
