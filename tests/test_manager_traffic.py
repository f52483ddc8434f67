"""What goes in and out of a managed connection: calls of the kernel, order, back-pressure."""

import contextlib
import select
import socket
import ssl
import threading
import time

import pytest

from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, frame
from tests.support.serving import Echo, Peer, Recorder, Unwaiting, serving
from tests.support.sockets import KINDS, tcp_pair
from tests.support.waiting import DEADLINE

HELD = 64 * 1024


class CountingSocket(socket.socket):
    """Counts the calls that move bytes."""

    def __init__(self, sock) -> None:
        super().__init__(fileno=sock.detach())
        self.received = self.sent = 0

    def recv(self, *arguments):
        self.received += 1
        return super().recv(*arguments)

    def send(self, *arguments):
        self.sent += 1
        return super().send(*arguments)


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


def counted(served, cls):
    sock, raw = tcp_pair()
    raw.settimeout(20)
    websocket, peer = cls(CountingSocket(sock)), Peer(raw)
    served.websockets.append(websocket)
    served.peers.append(peer)
    served.manager.add(websocket)
    return websocket, peer


def flood(peer, data, outlet):
    """Send over and over until the other end has stopped to read for good."""
    peer.sock.settimeout(0.05)
    offset = refused = 0
    deadline = time.monotonic() + DEADLINE
    while refused < 5:
        assert time.monotonic() < deadline
        try:
            offset = (offset + peer.sock.send(data[offset:])) % len(data)
        except TimeoutError:
            refused += outlet.unsent > HELD


WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def exchange(peer, data, size):
    """Send and receive in one thread, since TLS at the peer's end is to be used by one."""
    peer.sock.setblocking(False)
    view, received, deadline = memoryview(data), bytearray(), time.monotonic() + DEADLINE
    while len(received) < size:
        assert time.monotonic() < deadline
        select.select([peer.sock], [peer.sock] if view else [], [], 0.05)
        with contextlib.suppress(*WOULD_BLOCK):
            while view:
                view = view[peer.sock.send(view[:65536]) :]
        with contextlib.suppress(*WOULD_BLOCK):
            while len(received) < size:
                received += peer.sock.recv(1_000_000)
    return bytes(received)


class TestCalls:
    def test_one_recv_and_one_send_for_an_echo(self, served):
        websocket, peer = counted(served, Echo)
        for number in range(50):
            peer.send(frame(TEXT, b"%d" % number))
            assert peer.read_frame().payload == b"%d" % number
        assert (websocket.sock.received, websocket.sock.sent) == (50, 50)

    def test_replies_to_a_burst_leave_in_one_send(self, served):
        websocket, peer = counted(served, Echo)
        peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(32)))
        assert [peer.read_frame().payload for _ in range(32)] == [b"%d" % n for n in range(32)]
        assert (websocket.sock.received, websocket.sock.sent) == (1, 1)

    def test_sent_at_once_by_another_thread(self, served):
        websocket, peer = counted(served, Recorder)
        for number in range(10):
            websocket.send(str(number))
            assert websocket.sock.sent == number + 1
            assert peer.read_frame().payload == b"%d" % number

    def test_a_reply_is_not_held_up_by_the_handler_that_goes_on(self, served):
        class Slow(Recorder):
            def received_message(self, message):
                self.send("working")
                go_on.wait()
                self.send("done")

        go_on = threading.Event()
        _, peer = served.connect(Slow)
        peer.send(frame(TEXT, b"x"))
        try:
            assert peer.read_frame().payload == b"working"
        finally:
            go_on.set()
        assert peer.read_frame().payload == b"done"

    def test_held_replies_leave_when_a_handler_takes_its_time(self, served):
        class Slow(Recorder):
            def received_message(self, message):
                self.send(message)
                if message.data == b"2":
                    threading.Event().wait(0.02)
                    self.send("3")
                    go_on.wait()

        go_on = threading.Event()
        _, peer = served.connect(Slow)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        try:
            assert [peer.read_frame().payload for _ in range(3)] == [b"1", b"2", b"3"]
        finally:
            go_on.set()

    def test_process_called_by_the_program_holds_nothing_back(self, served):
        websocket, peer = served.connect(Echo)
        assert websocket.process(frame(TEXT, b"1") + frame(TEXT, b"2"))
        assert [peer.read_frame().payload for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize("kind", KINDS)
class TestContent:
    def test_messages_of_all_sizes_come_and_go(self, served, kind):
        websocket, peer = served.connect(Echo, kind)
        sizes = (0, 1, 125, 126, 65535, 65536, 1_000_000)
        for size in sizes:
            peer.send(frame(BINARY, b"\xfe" * size))
            assert peer.read_frame() == (BINARY, b"\xfe" * size, True, 0)
        assert [len(data) for data in websocket.messages] == list(sizes)

    def test_a_frame_cut_everywhere(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        for byte in frame(TEXT, b"hello") + frame(PING, b"x"):
            peer.send(bytes([byte]))
        assert peer.read_frame() == (PONG, b"x", True, 0)
        assert websocket.messages == [b"hello"]

    def test_what_came_behind_the_handshake(self, served, kind):
        websocket, peer = served.make(Echo, kind)
        whole = frame(TEXT, b"early") + frame(TEXT, b"later")
        websocket.buf = whole[:15]
        served.manager.add(websocket)
        peer.send(whole[15:])
        assert [peer.read_frame().payload for _ in range(2)] == [b"early", b"later"]
        assert websocket.events[0] == ("opened",)

    def test_sent_in_opened(self, served, kind):
        class Greeting(Echo):
            def opened(self):
                super().opened()
                self.send("one")
                self.send("x" * 1_000_000)
                self.ping("two")

        _, peer = served.connect(Greeting, kind)
        assert peer.read_frame().payload == b"one"
        assert len(peer.read_frame().payload) == 1_000_000
        assert peer.read_frame() == (PING, b"two", True, 0)

    def test_close_behind_a_queue(self, served, kind):
        websocket, peer = served.connect(Unwaiting, kind)
        for _ in range(20):
            websocket.send(b"x" * 500_000, binary=True)
        websocket.close(4005)
        assert sum(len(peer.read_frame().payload) for _ in range(20)) == 10_000_000
        assert peer.answer_close().close_code == 4005

    def test_held_replies_leave_before_the_program_closes(self, served, kind):
        class Last(Recorder):
            def received_message(self, message):
                self.send("bye")
                self.close_connection()

        websocket, peer = served.connect(Last, kind)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        assert peer.read_frame().payload == b"bye"
        websocket.wait_end()
        assert websocket.events == [("opened",), ("closed", 1006, "Going away")]


class TestBackPressure:
    """A peer that does not read holds up itself and nobody else."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("opcode", "size"), [(PING, 125), (BINARY, 10_000)])
    def test_what_a_peer_makes_us_queue_is_bounded(self, served, kind, opcode, size):
        websocket, peer = served.connect(Echo, kind)
        data = frame(opcode, b"x" * size) * (1_000_000 // size)
        outlet = websocket._outlet
        flood(peer, data, outlet)
        assert HELD < outlet.unsent <= 2 * HELD + 16 * 16384 + size
        # Others are served meanwhile, and it is again once it reads.
        _, other = served.connect(Echo)
        other.send(frame(TEXT, b"hi"))
        assert other.read_frame().payload == b"hi"
        while outlet.unsent:
            with contextlib.suppress(TimeoutError):
                peer.sock.recv(1_000_000)

    @pytest.mark.parametrize("kind", KINDS)
    def test_reading_goes_on_where_it_was_paused(self, served, kind):
        websocket, peer = served.connect(Echo, kind)
        payloads = [bytes([number]) * 60_000 for number in range(100)]
        first = b"x" * 9_000_000
        websocket.send(first, binary=True)
        assert websocket._outlet.unsent > HELD
        sent = b"".join(frame(BINARY, payload) for payload in payloads)
        reply = b"".join(frame(BINARY, payload, mask=False) for payload in [first, *payloads])
        assert exchange(peer, sent, len(reply)) == reply
        assert websocket.messages == payloads

    def test_a_close_frame_is_answered_once_the_peer_reads(self, served):
        websocket, peer = served.connect()
        while not websocket._outlet.unsent:
            websocket.send(b"x" * 100_000, binary=True)
        peer.send(frame(CLOSE))
        while (received := peer.read_frame()).opcode == BINARY:
            pass
        assert received.opcode == CLOSE
        peer.sock.close()
        assert websocket.wait_end() == (1005, "")

    def test_peer_that_is_gone_while_nothing_is_read_from_it(self, served):
        websocket, peer = served.connect(Echo)
        flood(peer, frame(BINARY, b"x" * 100_000), websocket._outlet)
        peer.reset()
        assert websocket.wait_end()[0] == 1006
