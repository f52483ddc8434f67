"""send(), ping() and close() on a socket that no manager serves."""

import sys
import threading

import pytest

from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from tests.support.serving import Peer
from tests.support.sockets import KINDS, pair
from tests.support.waiting import wait_until
from ws4py.exc import ConnectionClosed, TextFrameEncodingException, WebSocketException
from ws4py.messaging import (
    BinaryMessage,
    CloseControlMessage,
    PingControlMessage,
    PongControlMessage,
    TextMessage,
)
from ws4py.streaming import Stream
from ws4py.websocket import EchoWebSocket, WebSocket


@pytest.fixture(name="ends", params=KINDS)
def fixture_ends(request):
    with pair(request.param) as (sock, raw):
        websocket = WebSocket(sock)
        yield websocket, Peer(raw)
        websocket.terminate()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("grüße",), (TEXT, "grüße".encode())),
        (("",), (TEXT, b"")),
        ((b"bytes",), (TEXT, b"bytes")),
        ((bytearray(b"array"),), (TEXT, b"array")),
        ((memoryview(b"view"), True), (BINARY, b"view")),
        ((b"\xff", True), (BINARY, b"\xff")),
        (("text", True), (BINARY, b"text")),
        ((TextMessage("t"),), (TEXT, b"t")),
        ((BinaryMessage(b"\xfe"),), (BINARY, b"\xfe")),
        ((PingControlMessage("p"),), (PING, b"p")),
        ((PongControlMessage("q"),), (PONG, b"q")),
        ((CloseControlMessage(4000, "c"),), (CLOSE, b"\x0f\xa0c")),
    ],
)
def test_payloads(ends, arguments, expected):
    websocket, peer = ends
    websocket.send(*arguments)
    assert peer.read_frame()[:2] == expected


@pytest.mark.parametrize("payload", [5, None, ["list"], object(), iter([b"x"])])
def test_unsupported(ends, payload):
    with pytest.raises(ValueError, match="Unsupported type"):
        ends[0].send(payload)


@pytest.mark.parametrize("payload", [b"\xff", "\ud800"])
def test_text_has_to_be_utf8(ends, payload):
    websocket, peer = ends
    with pytest.raises(TextFrameEncodingException):
        websocket.send(payload)
    websocket.send("fine")
    assert peer.read_frame().payload == b"fine"


def test_ping(ends):
    websocket, peer = ends
    websocket.ping("text")
    websocket.ping(b"\xff")
    assert [peer.read_frame()[:2] for _ in range(2)] == [(PING, b"text"), (PING, b"\xff")]
    with pytest.raises(ValueError, match="125"):
        websocket.ping(b"x" * 126)


class TestGenerators:
    @pytest.mark.parametrize("binary", [True, False])
    def test_parts_are_fragments(self, ends, binary):
        websocket, peer = ends
        websocket.send((part for part in ("a", b"b", bytearray(b"c"))), binary=binary)
        assert [peer.read_frame() for _ in range(3)] == [
            (BINARY if binary else TEXT, b"a", False, 0),
            (CONTINUATION, b"b", False, 0),
            (CONTINUATION, b"c", True, 0),
        ]

    @pytest.mark.parametrize("parts", [[], [b"one"]])
    def test_none_and_one(self, ends, parts):
        websocket, peer = ends
        websocket.send(part for part in parts)
        assert peer.read_frame() == (TEXT, b"".join(parts), True, 0)

    def test_streamed(self, ends):
        """A part is on its way before the one after the next is made."""
        websocket, peer = ends
        seen = []

        def parts():
            yield b"1"
            yield b"2"
            seen.append(peer.read_frame().payload)
            yield b"3"
            seen.append(peer.read_frame().payload)

        websocket.send(parts())
        assert seen == [b"1", b"2"]

    def test_others_send_meanwhile(self, ends):
        """Control frames between the fragments, messages behind the last."""
        websocket, peer = ends

        def parts():
            yield b"1"
            yield b"2"
            websocket.send("whole")
            websocket.ping("control")
            websocket.send(part for part in (b"3", b"4"))
            yield b"5"

        websocket.send(parts())
        received = [peer.read_frame()[:3] for _ in range(6)]
        assert received == [
            (TEXT, b"1", False),
            (PING, b"control", True),
            (CONTINUATION, b"2", False),
            (CONTINUATION, b"5", True),
            (TEXT, b"whole", True),
            (TEXT, b"34", True),
        ]

    def test_one_that_raises(self, ends):
        websocket, peer = ends

        def parts():
            yield b"1"
            yield b"2"
            raise KeyError("mine")

        with pytest.raises(KeyError):
            websocket.send(parts())
        assert peer.read_frame() == (TEXT, b"1", False, 0)
        assert peer.read_frame().close_code == 1011

    def test_one_that_raises_before_anything_was_sent(self, ends):
        websocket, peer = ends

        def parts():
            yield b"1"
            raise KeyError("mine")

        with pytest.raises(KeyError):
            websocket.send(parts())
        websocket.send("fine")
        assert peer.read_frame().payload == b"fine"

    @pytest.mark.parametrize("second", [5, b"\xff", "\ud800"])
    def test_a_part_that_is_none(self, ends, second):
        websocket, peer = ends
        with pytest.raises((ValueError, TextFrameEncodingException)):
            websocket.send(part for part in (b"1", b"2", second))
        frames = [peer.read_frame()]
        while frames[-1].opcode != CLOSE:
            frames.append(peer.read_frame())
        assert frames[-1].close_code == 1011


def test_terminated_by_two_threads_at_once():
    """Both find it alive; one of them completes it."""
    with pair() as (sock, _):
        ended = []
        websocket = WebSocket(sock)
        websocket.closed = lambda *arguments: ended.append(arguments)
        threads = [threading.Thread(target=websocket.terminate) for _ in range(2)]
        with websocket._lock:
            for thread in threads:
                thread.start()
            # The lock is what both are at when the socket has been interrupted.
            assert sock.recv(1) == b""
            wait_until(lambda: waiting_for_lock(threads) == 2)
        for thread in threads:
            thread.join()
    assert ended == [(1006, "Going away")]


def waiting_for_lock(threads):
    """How many of them stand in terminate() at the lock."""
    frames = sys._current_frames()
    codes = []
    for thread in threads:
        frame = frames.get(thread.ident)
        codes.append(frame is not None and frame.f_code.co_name == "held_to_end")
    return sum(codes)


class TestClose:
    def test_once_and_no_more(self, ends):
        websocket, peer = ends
        websocket.close(4000, "grüße")
        websocket.close(4001)
        websocket.send(CloseControlMessage())
        received = peer.read_frame()
        assert (received.close_code, received.payload[2:]) == (4000, "grüße".encode())
        assert websocket.server_terminated
        assert not websocket.client_terminated
        websocket.terminate()
        assert peer.at_end()

    def test_defaults(self, ends):
        websocket, peer = ends
        websocket.close()
        assert peer.read_frame() == (CLOSE, b"\x03\xe8", True, 0)

    @pytest.mark.parametrize("code", [1006, 999, 5000, 0])
    def test_codes_that_may_not_travel(self, ends, code):
        websocket, peer = ends
        with pytest.raises(ValueError, match=str(code)):
            websocket.close(code)
        websocket.send("still open")
        assert peer.read_frame().payload == b"still open"

    def test_of_one_that_is_gone(self, ends):
        websocket, _ = ends
        websocket.terminate()
        websocket.close()
        websocket.close(1006)

    def test_under_a_closed_socket(self, ends):
        websocket, _ = ends
        websocket.close_connection()
        websocket.close()
        assert websocket.server_terminated


@pytest.mark.parametrize("end", ["close", "terminate", "close_connection"])
def test_afterwards_there_is_one_error(ends, end):
    websocket, _ = ends
    getattr(websocket, end)()
    for call in (
        lambda: websocket.send("x"),
        lambda: websocket.send(TextMessage("x")),
        lambda: websocket.send(PongControlMessage("x")),
        lambda: websocket.send(part for part in "xy"),
        lambda: websocket.ping("x"),
    ):
        with pytest.raises(ConnectionClosed, match="terminated websocket") as caught:
            call()
        assert isinstance(caught.value, RuntimeError)
        assert isinstance(caught.value, WebSocketException)


def test_write_asks_the_flags(ends):
    websocket, _ = ends
    websocket.client_terminated = websocket.server_terminated = True
    with pytest.raises(RuntimeError):
        websocket._write(b"x")
    websocket.client_terminated = False
    websocket._write(b"")


def test_a_client_masks():
    with pair() as (sock, raw):
        websocket = WebSocket(sock)
        websocket.stream = Stream(always_mask=True, expect_masking=False)
        websocket.send("x")
        websocket.close()
        data = raw.recv(100)
        assert data[1] == 0x80 | 1
        assert data[6 + 1 + 1] == 0x80 | 2
        websocket.terminate()


def test_from_many_threads(ends):
    """As in a manager, frames stay whole; here the threads wait for the peer."""
    websocket, peer = ends

    def send(sender):
        for _ in range(10):
            websocket.send(bytes([sender]) * 100_000, binary=True)

    threads = [threading.Thread(target=send, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        payload = peer.read_frame().payload
        assert payload == payload[:1] * 100_000
    for thread in threads:
        thread.join()


def test_peer_that_takes_nothing_in_time():
    """Half a frame is out: nothing may follow, and who reads sees the end."""
    for kind in KINDS:
        with pair(kind) as (sock, _):
            websocket = WebSocket(sock)
            websocket.sock_timeout = 0.1
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                websocket.send(b"x" * 50_000_000, binary=True)
            with pytest.raises(ConnectionError):
                websocket.send("next")
            assert websocket.once() is False
            websocket.terminate()


def test_echo(ends):
    websocket, peer = ends
    echo = EchoWebSocket(websocket.sock)
    echo.received_message(TextMessage("t"))
    echo.received_message(BinaryMessage(b"\xff"))
    assert [peer.read_frame()[:2] for _ in range(2)] == [(TEXT, b"t"), (BINARY, b"\xff")]
