"""Advisories about ends: unclean, incomplete, two at once; and what was left in a buffer."""

import threading
import tracemalloc

import pytest

from tests.support.deflating import violation
from tests.support.raw import CLOSE, PING, PONG, TEXT, Frame, close_frame, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.wire import read_frames
from ws4py.exc import ConnectionClosed
from ws4py.protocol.connection import CLIENT, SERVER, Connection


def test_cve_2017_2670_a_connection_that_ends_without_a_word():
    """In the middle of a frame, by FIN and by RST: the loop goes on, and is not busy."""
    with serving() as served:
        for end in ("fin", "rst"):
            websocket, peer = served.connect(Echo)
            peer.send(frame(TEXT, b"never whole")[:7])
            if end == "rst":
                peer.reset()
            else:
                peer.sock.close()
            assert websocket.wait_end()[0] == 1006
            assert websocket.was_released()
        _, other = served.connect(Echo)
        other.send(frame(TEXT, b"still there"))
        assert other.read_frame().payload == b"still there"


def test_cve_2024_23672_a_closing_handshake_that_nobody_completes():
    """It is completed for them, and the descriptor is released."""

    class Hasty(Recorder):
        close_timeout = 0.1

    with serving() as served:
        websocket, peer = served.connect(Hasty)
        websocket.close()
        assert peer.read_frame().opcode == CLOSE
        # No answer, but data: that does not keep it open.
        peer.send(frame(TEXT, b"not heard"))
        assert websocket.wait_end()[0] == 1006
        assert websocket.was_released()
        assert websocket.messages == []


def test_cve_2022_25762_sending_while_closing():
    """From many threads: frames stay whole, and reach the connection that they were meant for."""
    with serving() as served:
        pairs = [served.connect(Recorder) for _ in range(4)]
        start = threading.Barrier(9)

        def send(websocket, number):
            start.wait()
            try:
                for _ in range(500):
                    websocket.send(b"%d" % number * 50, binary=True)
            except ConnectionClosed:
                return

        threads = [
            threading.Thread(target=send, args=(websocket, number))
            for number, (websocket, _) in enumerate(pairs)
            for _ in range(2)
        ]
        for each in threads:
            each.start()
        start.wait()
        for websocket, _ in pairs:
            websocket.close()
        for number, (_, peer) in enumerate(pairs):
            while (received := peer.read_frame()).opcode != CLOSE:
                assert received.payload == b"%d" % number * 50
            peer.send(close_frame())
            assert peer.at_end()
        for each in threads:
            each.join()


def test_cve_2025_11234_the_peer_is_gone_before_it_is_served():
    with serving() as served:
        websocket, peer = served.make(Echo)
        peer.reset()
        served.manager.add(websocket)
        assert websocket.wait_end()[0] == 1006
        assert websocket.was_released()


@pytest.mark.parametrize("name", ["CVE-2026-45736", "npm-67"])
def test_what_is_sent_is_what_was_given(name):
    """Nothing of a buffer that somebody used before: the length is that of the data."""
    connection = Connection(SERVER)
    connection.receive(frame(TEXT, b"secret" * 20))
    for event in connection.receive(frame(PING, b"")):
        assert read_frames(connection.respond(event)) == [Frame(PONG, b"")]
    assert read_frames(connection.send_ping(b"")) == [Frame(PING, b"")]
    assert read_frames(connection.send_close(1000, "")) == [Frame(CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize("given", [100, 100.0, None, ["x"]])
@pytest.mark.parametrize("name", ["CVE-2026-45736", "npm-67"])
def test_a_number_is_no_size(name, given):
    """Theirs took a number for the size of a buffer to be sent as it was."""
    with serving() as served:
        websocket, peer = served.connect(Recorder)
        with pytest.raises((TypeError, ValueError, AttributeError)):
            websocket.ping(given)
        peer.say_goodbye()


def test_cve_2020_36406_who_has_left_is_not_sent_to():
    """Broadcasts while members come and go."""
    with serving() as served:
        _, stays = served.connect(Recorder)
        for _ in range(20):
            websocket, peer = served.connect(Recorder)
            peer.reset()
            served.manager.broadcast("all")
            websocket.wait_end()
        for _ in range(20):
            assert stays.read_frame() == Frame(TEXT, b"all")
        stays.say_goodbye()


def test_cve_2020_35681_one_connections_state_is_not_anothers():
    class Named(Recorder):
        def received_message(self, message):
            self.name = getattr(self, "name", b"") + message.data
            self.send(self.name, binary=True)

    with serving() as served:
        _, one = served.connect(Named)
        _, two = served.connect(Named)
        for peer, name in ((one, b"a"), (two, b"b"), (one, b"a"), (two, b"b")):
            peer.send(frame(TEXT, name))
        assert [one.read_frame().payload, one.read_frame().payload] == [b"a", b"aa"]
        assert [two.read_frame().payload, two.read_frame().payload] == [b"b", b"bb"]
        assert not hasattr(Named, "name")
        one.say_goodbye()
        two.say_goodbye()


@pytest.mark.parametrize("role", [SERVER, CLIENT], ids=["server", "client"])
@pytest.mark.parametrize(
    "sent", [(TEXT, b"\xff"), (CLOSE, b"\x03\xe8\xff"), (CLOSE, b"\x03\xe8\xed\xa0\x80")]
)
def test_cve_2025_12689_bytes_that_are_no_utf_8(role, sent):
    """A close code, and no exception."""
    opcode, payload = sent
    connection = Connection(role)
    assert violation(connection, frame(opcode, payload, mask=role is SERVER)).code == 1007


def test_an_end_leaves_nothing_in_memory():
    """Whatever ended it: neither a cycle nor an entry in a table."""

    def come_and_go(served):
        websocket, peer = served.connect(Recorder)
        peer.send(frame(TEXT, b"x" * 5000)[:4000])
        peer.reset()
        websocket.wait_end()
        served.websockets.clear()
        served.peers.clear()

    with serving() as served:
        for _ in range(5):
            come_and_go(served)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(50):
                come_and_go(served)
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert kept < 50 * 1000
