"""TLS under a manager: what the TLS layer holds is never forgotten."""

import os
import socket
import ssl

import pytest

from tests.support.raw import BINARY, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder, Unwaiting, serving
from tests.support.sockets import TLS
from tests.support.waiting import wait_until

pytestmark = pytest.mark.parametrize("kind", TLS)

RECORD = 16384


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


def numbered(count, size=1):
    return [b"%05d" % number + b"x" * size for number in range(count)]


def test_fifty_messages_in_one_record(served, kind):
    websocket, peer = served.connect(kind=kind)
    data = b"".join(frame(TEXT, each) for each in numbered(50))
    assert len(data) < RECORD
    peer.send(data)
    wait_until(lambda: len(websocket.messages) == 50)
    assert websocket.messages == numbered(50)


def test_a_thousand_messages_in_one_call(served, kind):
    websocket, peer = served.connect(kind=kind)
    peer.send(b"".join(frame(TEXT, each) for each in numbered(1000)))
    wait_until(lambda: len(websocket.messages) == 1000)
    assert websocket.messages == numbered(1000)


def test_records_back_to_back(served, kind):
    websocket, peer = served.connect(kind=kind)
    messages = numbered(200, RECORD)
    for each in messages:
        peer.send(frame(TEXT, each))
    wait_until(lambda: len(websocket.messages) == 200)
    assert websocket.messages == messages


def test_record_that_ends_in_mid_frame(served, kind):
    websocket, peer = served.connect(Echo, kind)
    data = frame(TEXT, b"one") + frame(TEXT, b"two")
    peer.send(data[:14])
    assert peer.read_frame().payload == b"one"
    peer.send(data[14:])
    assert peer.read_frame().payload == b"two"
    assert websocket.messages == [b"one", b"two"]


def test_bytes_that_were_decrypted_before_it_was_added(served, kind):
    websocket, peer = served.make(kind=kind)
    peer.send(b"GET" + frame(TEXT, b"one") + frame(TEXT, b"two"))
    # As an HTTP server's reader would do: the rest stays above the kernel.
    assert websocket.sock.recv(3) == b"GET"
    assert websocket.sock.pending() == len(frame(TEXT, b"one") * 2)
    served.manager.add(websocket)
    wait_until(lambda: websocket.messages == [b"one", b"two"])


@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_overridden_once(served, kind, size):
    """Programs have cures of their own for what 0.6 lost."""

    class Own(Recorder):
        def once(self):
            data = self._get_from_pending() if size == 10 else b""
            data = data or self.sock.recv(size)
            return self.process(data)

    websocket, peer = served.connect(Own, kind)
    address = websocket.peer_address
    peer.send(b"".join(frame(TEXT, each) for each in numbered(50)))
    wait_until(lambda: len(websocket.messages) == 50)
    peer.send(close_frame(4000))
    assert peer.read_frame().close_code == 4000
    peer.sock.close()
    assert websocket.wait_end() == (4000, "")
    assert websocket.peer_address == address


@pytest.mark.parametrize("how", ["end", "garbage", "close_connection", "idle"])
def test_how_an_overridden_once_ends(served, kind, how):
    class Own(Recorder):
        def once(self):
            if how == "close_connection":
                self.close_connection()
            if how == "idle":
                self.note("idle")
                return len(self.events) < 3
            try:
                data = self.sock.recv(10)
            except OSError as error:
                self.unhandled_error(error)
                return False
            return self.process(data) if data else False

        def unhandled_error(self, error):
            self.note("error")

    websocket, peer = served.connect(Own, kind)
    if how == "end":
        peer.sock.close()
    elif how == "garbage":
        socket.socket.send(peer.sock, b"GET / HTTP/1.1\r\n\r\n")
    else:
        peer.send(frame(TEXT, b"1"))
        peer.send(frame(TEXT, b"2"))
    if how == "idle":
        wait_until(lambda: websocket.events.count(("idle",)) >= 2)
        peer.sock.close()
    assert websocket.wait_end() == (1006, "Going away")
    assert ("error",) in websocket.events or how != "garbage"


def test_a_record_that_is_not_complete_holds_up_nobody(served, kind):
    class Watched(Echo):
        def once(self):
            return super().once()

    stalling, stalling_peer = served.connect(Watched, kind)
    stalling_peer.send(frame(TEXT, b"one"))
    assert stalling_peer.read_frame().payload == b"one"
    # A header that promises more than there is.
    socket.socket.send(stalling_peer.sock, b"\x17\x03\x03\x00\x50abc")
    _, other = served.connect(Echo)
    other.send(frame(TEXT, b"hi"))
    assert other.read_frame().payload == b"hi"
    assert stalling.ends == []


def test_no_tls_at_all(served, kind, caplog):
    websocket, peer = served.connect(kind=kind)
    socket.socket.send(peer.sock, b"GET / HTTP/1.1\r\n\r\n")
    assert websocket.wait_end() == (1006, "Going away")
    assert not [record for record in caplog.records if record.exc_info]


def test_whole_closing_handshake_ends_with_close_notify(served, kind):
    websocket, peer = served.connect(kind=kind)
    peer.send(close_frame(1000))
    assert peer.read_frame().close_code == 1000
    # With suppress_ragged_eofs, recv() would tell b"" for either kind of end.
    peer.sock.suppress_ragged_eofs = False
    assert peer.sock.recv(1) == b""
    peer.sock.close()
    assert websocket.wait_end() == (1000, "")


def test_both_directions_full(served, kind):
    websocket, peer = served.connect(Unwaiting, kind)
    payload = os.urandom(3_000_000)
    for _ in range(3):
        websocket.send(payload, binary=True)
    # The peer's socket is TLS as well, and one thread at a time may use that.
    peer.send(frame(BINARY, payload[:10]))
    for _ in range(3):
        assert peer.read_frame().payload == payload
    for _ in range(3):
        peer.send(frame(BINARY, payload))
    wait_until(lambda: websocket.messages == [payload[:10], *[payload] * 3])


def test_registration_of_a_dead_connection(served, kind):
    websocket, _ = served.make(kind=kind)
    websocket.sock.close()
    with pytest.raises((OSError, ssl.SSLError)):
        served.manager.add(websocket)
    assert websocket.events == []
