"""The fast lane on real sockets: the same comes out of it as out of the portable engine."""

import socket
import threading
from unittest import mock

import pytest

from tests.support import twins
from tests.support.lanes import ENGINES, engine, in_lane, is_lane
from tests.support.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_frame,
    frame,
)
from tests.support.serving import Echo, Recorder
from tests.support.sockets import pair
from tests.support.waiting import wait_until
from ws4py import _engine
from ws4py._engine import lane, pollers
from ws4py._engine.channel import Channel
from ws4py._transport import PlainTransport, TLSTransport, transport_for
from ws4py.messaging import BinaryMessage, TextMessage, prepare
from ws4py.protocol.limits import DEFAULT_UNSENT_SOFT_LIMIT
from ws4py.websocket import WebSocket

#: Above the first buffer of a large message, so that it has to grow.
LARGE = 1024 * 1024 + 1
WIDTHS = (0, 1, 125, 126, 65535, 65536)
WRONG = {
    "unmasked": (frame(TEXT, b"x", mask=False), 1002),
    "reserved bit": (frame(TEXT, b"x", rsv=4), 1002),
    "reserved opcode": (frame(3, b"x"), 1002),
    "no UTF-8": (frame(TEXT, b"ab\xff"), 1007),
    "too large": (frame(BINARY, b"x" * 2_000_000), 1009),
    "length of 125 in two bytes": (b"\x81\xfe\x00\x7d", 1002),
    "length of 65535 in eight bytes": (b"\x81\xff" + (65535).to_bytes(8, "big") + b"key.", 1002),
    "length with its highest bit": (b"\x81\xff" + (1 << 63).to_bytes(8, "big") + b"key.", 1002),
    "lone continuation": (frame(CONTINUATION, b"x"), 1002),
}


@pytest.fixture(name="served", params=ENGINES)
def fixture_served(request):
    with engine(request.param) as served:
        yield served


@pytest.fixture(name="echo")
def fixture_echo(served):
    websocket, peer = served.connect(Echo)
    in_lane(served, websocket)
    return websocket, peer


def replies(peer, count):
    return [peer.read_frame() for _ in range(count)]


def heard(served, websocket):
    """Wait until the loop has taken what was sent so far."""
    link = websocket._take
    wait_until(lambda: link.buffered if is_lane(served) else websocket.stream.connection.buffered)


class TestWhoFits:
    def test_the_best_poller(self, monkeypatch):
        poller = lane.default_poller()
        poller.release()
        assert type(poller) is (
            lane.LanePoller if lane.COMPILED else type(pollers.default_poller())
        )
        monkeypatch.setattr(lane, "COMPILED", False)
        other = lane.default_poller()
        other.release()
        assert not isinstance(other, lane.LanePoller)

    def test_the_build_that_runs(self, monkeypatch):
        made = twins.compiled("ws4py._engine.lane_c")
        assert twins.selected(monkeypatch, lane)["_compiled"] is made
        assert not twins.selected(monkeypatch, lane, pure=True)["COMPILED"]
        monkeypatch.delattr(_engine, "lane_c")
        names = twins.selected(monkeypatch, lane, missing="ws4py._engine.lane_c")
        assert not names["COMPILED"]
        websockets = [object()]
        assert names["post_to_all"](websockets, b"") is websockets

    def test_plain_servers_fit(self):
        with pair() as (sock, _):
            assert lane.fits(WebSocket(sock), transport_for(sock))
            assert lane.fits(Recorder(sock), transport_for(sock))

    @pytest.mark.parametrize("name", ["process", "once", "_write"])
    def test_own_methods_do_not(self, name, monkeypatch):
        with pair() as (sock, _):
            own = type("Own", (WebSocket,), {name: lambda *_: None})
            assert not lane.fits(own(sock), transport_for(sock))
            single = WebSocket(sock)
            setattr(single, name, lambda *_: None)
            assert not lane.fits(single, transport_for(sock))
            monkeypatch.setattr(WebSocket, name, lambda *_: None)
            assert not lane.fits(WebSocket(sock), transport_for(sock))

    def test_other_sockets_do_not(self):
        class Own(socket.socket):
            def recv(self, size, flags=0):
                return super().recv(size, flags)

        with pair() as (sock, _):
            own = Own(fileno=sock.detach())
            assert not lane.fits(WebSocket(own), transport_for(own))
            assert not lane.fits(WebSocket(mock.MagicMock()), transport_for(own))
            own.close()
        with pair("ssl") as (sock, _):
            assert not lane.fits(WebSocket(sock), TLSTransport(sock))

    def test_clients_and_the_dead_do_not(self):
        with pair() as (sock, _):
            websocket = WebSocket(sock)
            websocket.stream.always_mask = True
            assert not lane.fits(websocket, transport_for(sock))
            websocket.stream = None
            assert not lane.fits(websocket, transport_for(sock))

    def test_a_released_poller_can_be_used_again(self):
        twins.compiled("ws4py._engine.lane_c")
        with pair() as (sock, peer):
            poller = lane.LanePoller()
            poller.release()
            poller.register(sock.fileno())
            peer.send(b"x")
            assert poller.wait(None) == [(sock.fileno(), pollers.READ)]
            poller.release()


class TestReceiving:
    @pytest.mark.parametrize("size", WIDTHS)
    def test_cut_at_every_byte_near_the_header(self, echo, size):
        websocket, peer = echo
        payload = bytes(range(256)) * (size // 256 + 1)
        payload = payload[:size]
        data = frame(BINARY, payload)
        positions = [*range(1, min(20, len(data))), len(data) - 1]
        for position in positions:
            peer.send(data[:position])
            # Small pieces would be put together by the kernel, were there nothing to wait for.
            wait_until(lambda: websocket._outlet._heard or websocket._take.heard)
            peer.send(data[position:] + frame(TEXT, b"%d" % position))
            assert replies(peer, 2) == [Frame(BINARY, payload), Frame(TEXT, b"%d" % position)]

    def test_a_byte_at_a_time(self, served):
        websocket, peer = served.connect()
        payloads = [b"", b"x", b"y" * 126, b"z" * 300]
        for byte in b"".join(frame(BINARY, payload) for payload in payloads):
            peer.send(bytes((byte,)))
        wait_until(lambda: len(websocket.messages) == len(payloads))
        assert websocket.messages == payloads

    def test_bursts_with_other_frames_in_the_middle(self, served, echo):
        websocket, peer = echo
        for turn in range(20):
            peer.send(
                frame(TEXT, b"1")
                + frame(PING, b"p")
                + frame(TEXT, b"2a", fin=False)
                + frame(PONG, b"q")
                + frame(CONTINUATION, b"2b")
                + b"".join(frame(BINARY, b"%d" % number) for number in range(30))
            )
            expected = [(TEXT, b"1"), (PONG, b"p"), (TEXT, b"2a2b")]
            expected += [(BINARY, b"%d" % number) for number in range(30)]
            assert [each[:2] for each in replies(peer, 33)] == expected
            assert websocket.events.count(("ponged", b"q")) == turn + 1
        # It is still, or again, in the lane.
        assert (websocket._take is not None) is is_lane(served)

    def test_between_two_fragments_all_goes_another_way(self, echo):
        websocket, peer = echo
        for part in (b"a", b"b", b"c"):
            peer.send(frame(CONTINUATION if part != b"a" else TEXT, part, fin=False) + frame(PING))
            assert peer.read_frame().opcode == PONG
        peer.send(frame(CONTINUATION, b"d"))
        assert peer.read_frame().payload == b"abcd"
        peer.send(frame(TEXT, b"next"))
        assert peer.read_frame().payload == b"next"
        assert websocket.messages == [b"abcd", b"next"]

    @pytest.mark.parametrize("wrong", WRONG)
    def test_wrong_frames_in_a_burst(self, served, wrong):
        class Limited(Echo):
            max_message_size = 1_000_000

        websocket, peer = served.connect(Limited)
        in_lane(served, websocket)
        data, code = WRONG[wrong]
        good = [b"%d" % number for number in range(40)]
        behind = frame(TEXT, b"never")
        with_it = b"".join(frame(TEXT, each) for each in good) + data[:1000] + behind
        peer.send(with_it)
        assert [each.payload for each in replies(peer, 40)] == good
        assert peer.read_frame().close_code == code
        peer.sock.close()
        assert websocket.wait_end()[0] == 1006
        assert websocket.messages == good

    @pytest.mark.parametrize("limit", [100, 1000, 100_000])
    def test_the_limit_itself_is_allowed(self, served, limit):
        class Limited(Echo):
            max_message_size = limit

        websocket, peer = served.connect(Limited)
        in_lane(served, websocket)
        peer.send(frame(BINARY, b"x" * limit))
        assert len(peer.read_frame().payload) == limit
        peer.send(frame(BINARY, b"x" * (limit + 1))[:14])
        assert peer.read_frame().close_code == 1009


class TestLargeMessages:
    def test_in_pieces(self, served, echo):
        websocket, peer = echo
        payload = ("ż€😀a" * (LARGE // 10 + 1)).encode()
        data = frame(TEXT, payload)
        # In the middle of a character as well.
        for start in range(0, len(data), 99_991):
            peer.send(data[start : start + 99_991])
        assert peer.read_frame() == (TEXT, payload, True, 0)
        peer.send(frame(TEXT, b"small") * 2)
        assert [each.payload for each in replies(peer, 2)] == [b"small"] * 2
        assert websocket.messages == [payload, b"small", b"small"]

    @pytest.mark.parametrize("size", [200_000, LARGE])
    def test_wrong_text_is_found_before_its_end(self, served, size):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        data = frame(TEXT, b"x" * (size - 1) + b"\xff" + b"x" * 200_000)
        peer.send(data[:1000])
        heard(served, websocket)
        peer.send(data[1000 : size + 14])
        assert peer.read_frame().close_code == 1007
        assert websocket.messages == []

    def test_a_character_that_the_end_cuts(self, served):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        data = frame(TEXT, b"x" * 200_000 + "€".encode()[:2])
        peer.send(data[:1000])
        heard(served, websocket)
        peer.send(data[1000:])
        assert peer.read_frame().close_code == 1007

    def test_an_end_in_the_middle(self, served):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        peer.send(frame(BINARY, b"x" * LARGE)[:500_000])
        heard(served, websocket)
        peer.sock.close()
        assert websocket.wait_end() == (1006, "Going away")
        assert websocket.messages == []

    def test_what_is_announced_is_not_set_aside(self, served):
        class Unlimited(Recorder):
            max_message_size = None

        websocket, peer = served.connect(Unlimited)
        in_lane(served, websocket)
        peer.send(b"\x82\xff" + (1 << 62).to_bytes(8, "big") + b"key." + b"x" * 1000)
        heard(served, websocket)
        peer.sock.close()
        assert websocket.wait_end()[0] == 1006


class FullTransport(PlainTransport):
    """A socket that takes nothing."""

    __slots__ = ()

    def send(self, data):
        return 0


class Stuffed(Echo):
    """What it sends first finds the kernel's queue full."""

    def received_message(self, message):
        transport = self._outlet.transport
        if not self.messages:
            transport.__class__ = FullTransport
        super().received_message(message)
        transport.__class__ = PlainTransport


class TestBeginning:
    def test_answers_that_do_not_fit_to_what_came_behind_the_handshake(self, served):
        """The poller waits for writing when the lane takes over, and has to read again."""
        websocket, peer = served.make(Stuffed)
        early = b"x" * (DEFAULT_UNSENT_SOFT_LIMIT + 1)
        websocket.buf = frame(BINARY, early)
        served.manager.add(websocket)
        assert peer.read_frame().payload == early
        peer.send(frame(TEXT, b"and now?"))
        assert peer.read_frame().payload == b"and now?"


class TestSending:
    @pytest.mark.parametrize("elsewhere", [False, True], ids=["loop", "thread"])
    def test_every_kind_of_payload(self, served, elsewhere):
        kinds = [
            ("ż", False, (TEXT, "ż".encode())),
            ("x" * 70_000, False, (TEXT, b"x" * 70_000)),
            ("x" * 4096, False, (TEXT, b"x" * 4096)),
            (b"text", False, (TEXT, b"text")),
            (b"\xff", True, (BINARY, b"\xff")),
            (b"\xff" * 5000, True, (BINARY, b"\xff" * 5000)),
            (bytearray(b"ab"), True, (BINARY, b"ab")),
            (memoryview(b"cd"), False, (TEXT, b"cd")),
            (TextMessage("t"), False, (TEXT, b"t")),
            (BinaryMessage(b"\xfe"), False, (BINARY, b"\xfe")),
            (prepare("p"), False, (TEXT, b"p")),
            (b"", True, (BINARY, b"")),
            (type("Text", (str,), {})("s"), False, (TEXT, b"s")),
        ]

        def send_all(websocket):
            for payload, binary, _ in kinds:
                websocket.send(payload, binary)
            websocket.send(part for part in ["a", "b", "c"])

        class Sender(Recorder):
            def received_message(self, message):
                send_all(self)

        websocket, peer = served.connect(Sender)
        in_lane(served, websocket)
        if elsewhere:
            send_all(websocket)
        else:
            peer.send(frame(TEXT, b"go"))
        assert [each[:2] for each in replies(peer, len(kinds))] == [each[2] for each in kinds]
        parts = [(TEXT, b"a", False), (CONTINUATION, b"b", False), (CONTINUATION, b"c", True)]
        assert [each[:3] for each in replies(peer, 3)] == parts

    @pytest.mark.parametrize("size", [1, 10_000])
    def test_what_cannot_be_sent_does_no_harm(self, served, size):
        websocket, peer = served.connect()
        in_lane(served, websocket)
        for payload in ("\ud800" * size, b"\xff" * size, "ż".encode()[:1], None, 5, object()):
            with pytest.raises((ValueError, UnicodeError)):
                websocket.send(payload)
        websocket.send("good")
        assert peer.read_frame().payload == b"good"

    def test_methods_of_a_programs_own(self, served):
        class Own(Echo):
            sent = 0

            def send(self, payload, binary=False):
                self.sent += 1
                super().send(payload, binary)

        websocket, peer = served.connect(Own)
        peer.send(frame(TEXT, b"x"))
        assert peer.read_frame().payload == b"x"
        served.manager.broadcast("all")
        assert peer.read_frame().payload == b"all"
        assert websocket.sent == 2

    def test_patched_while_connected(self, served, echo):
        websocket, peer = echo
        got = []
        websocket.received_message = lambda message: got.append(message.data)
        peer.send(frame(TEXT, b"own") + frame(PING))
        assert peer.read_frame().opcode == PONG
        assert got == [b"own"]
        del websocket.received_message
        calls = []
        with mock.patch.object(WebSocket, "send", lambda *arguments: calls.append(arguments[0])):
            peer.send(frame(TEXT, b"patched") + frame(PING))
            assert peer.read_frame().opcode == PONG
            served.manager.broadcast("all")
        assert calls == [websocket] * 2
        peer.send(frame(TEXT, b"back"))
        assert peer.read_frame().payload == b"back"

    @pytest.mark.parametrize("name", ["process", "_write", "once"])
    def test_what_the_lane_is_not_for(self, served, name):
        calls = []

        def own(self, *arguments):
            calls.append(name)
            return getattr(Echo, name)(self, *arguments)

        websocket, peer = served.connect(type("Own", (Echo,), {name: own}))
        peer.send(frame(TEXT, b"x"))
        assert peer.read_frame().payload == b"x"
        assert calls
        assert websocket._take is None


class TestEnds:
    @pytest.mark.parametrize("how", ["raises", "exits", "closes", "terminates", "leaves"])
    def test_a_handler_in_a_burst_that(self, served, how):
        class Ends(Recorder):
            def received_message(self, message):
                super().received_message(message)
                self.send(message)
                if message.data == b"2":
                    getattr(self, how)()

            def raises(self):
                raise ValueError(how)

            def exits(self):
                raise SystemExit

            def closes(self):
                self.close(4000)

            def terminates(self):
                self.terminate()

            def leaves(self):
                self.close_connection()

        websocket, peer = served.connect(Ends)
        in_lane(served, websocket)
        peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(1, 6)))
        assert [each.payload for each in replies(peer, 2)] == [b"1", b"2"]
        code = {"raises": 1011, "exits": 1011, "closes": 4000}.get(how)
        if code is not None:
            assert peer.read_frame().close_code == code
            peer.sock.close()
        websocket.wait_end()
        assert websocket.messages == [b"1", b"2"]

    def test_a_handler_that_leaves_the_manager(self, served):
        class Leaves(Recorder):
            def received_message(self, message):
                super().received_message(message)
                if message.data == b"2":
                    served.manager.remove(self)

        websocket, peer = served.connect(Leaves)
        in_lane(served, websocket)
        peer.send(b"".join(frame(TEXT, b"%d" % number) for number in range(1, 6)))
        wait_until(lambda: len(websocket.messages) == 5)
        assert websocket.messages == [b"1", b"2", b"3", b"4", b"5"]
        websocket.send("still open")
        assert peer.read_frame().payload == b"still open"
        served.manager.add(websocket)
        peer.send(frame(TEXT, b"back"))
        wait_until(lambda: websocket.messages[-1] == b"back")
        websocket.events.remove(("opened",))

    def test_the_closing_handshake(self, served, echo):
        websocket, peer = echo
        peer.send(frame(TEXT, b"last") + close_frame(1000) + frame(TEXT, b"never"))
        assert [each.opcode for each in replies(peer, 2)] == [TEXT, CLOSE]
        peer.sock.close()
        assert websocket.wait_end() == (1000, "")
        assert websocket.messages == [b"last"]

    def test_closed_before_the_loop_has_it(self, served, monkeypatch):
        """By another thread, whose word to the loop comes a turn after the connection."""
        monkeypatch.setattr(Channel, "expect_end", lambda _: None)
        websocket, peer = served.make()
        websocket.opened = websocket.close
        served.manager.add(websocket)
        assert peer.read_frame().opcode == CLOSE
        peer.send(frame(TEXT, b"too late") + close_frame(1000))
        assert peer.at_end()
        peer.sock.close()
        assert websocket.wait_end() == (1000, "")
        assert websocket.messages == []

    def test_stop_with_large_queues(self, served):
        served.manager.stop_timeout = 0.2
        for _ in range(5):
            websocket, _ = served.connect()
            in_lane(served, websocket)
            threading.Thread(target=websocket.send, args=(b"x" * 20_000_000, True)).start()
            wait_until(lambda each=websocket: each._outlet.unsent)
        served.manager.stop()
        for websocket in served.websockets:
            websocket.wait_end()
