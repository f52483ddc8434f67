"""What TLS can do to a WebSocket, on every server: bytes above the kernel, ends, stalls."""

import pytest

from tests.servers.test_battery import assert_numbered, numbered
from tests.support.raw import TEXT, Frame, frame
from tests.support.waiting import wait_until


@pytest.mark.case("record ends in mid-frame")
@pytest.mark.parametrize("cut", [1, 5, 7])
def test_a_record_that_ends_in_the_middle_of_a_frame(tls, cut):
    last = frame(TEXT, b"50")
    with tls.connect() as client:
        client.send(numbered(50) + last[:cut])
        assert_numbered(client, 50)
        client.send(last[cut:])
        assert client.read_frame() == Frame(TEXT, b"50")


@pytest.mark.case("record in pieces")
@pytest.mark.parametrize("cut", [3, 5, 20])
def test_a_record_that_comes_in_pieces(tls, cut):
    with tls.record_client() as client:
        assert client.upgrade().status == 101
        for number in range(3):
            record = client.record(frame(TEXT, b"%d" % number))
            client.sock.sendall(record[:cut])
            # Meanwhile the server has been at other work, and at this piece.
            assert tls.get() == b"hello"
            client.sock.sendall(record[cut:])
            assert client.read_frame() == Frame(TEXT, b"%d" % number)


@pytest.mark.case("1,000 messages in one write")
def test_a_thousand_messages_in_one_write(tls):
    with tls.connect() as client:
        client.send(numbered(1000))
        assert_numbered(client, 1000)


@pytest.mark.case("no close_notify")
def test_a_peer_that_leaves_without_close_notify(tls):
    for _ in range(10):
        client = tls.connect()
        client.send(frame(TEXT, b"hi"))
        assert client.read_frame() == Frame(TEXT, b"hi")
        # Python sends none of its own accord.
        client.sock.close()
    wait_until(tls.all_closed)


@pytest.mark.case("stalled handshake: open ones")
def test_a_stalled_handshake_holds_up_no_open_websocket(tls):
    with tls.connect() as client, tls.plain_client() as silent:
        silent.send(b"\x16")
        for _ in range(100):
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")


@pytest.mark.case("stalled handshake: new ones")
def test_a_stalled_handshake_holds_up_no_other_client(side_by_side):
    served = side_by_side
    with served.plain_client(), served.plain_client() as silent:
        silent.send(b"\x16")
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")


def test_plain_http_to_the_tls_port_does_no_harm(tls):
    with tls.plain_client() as plain:
        plain.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.at_end()
    with tls.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.read_frame() == Frame(TEXT, b"hi")
