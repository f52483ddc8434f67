"""The reference server: whatever way the bytes come, each frame goes back once."""

import contextlib
import socket
import subprocess

import pytest

from tests.benchmarks.scripted import (
    BINARY,
    CLOSE,
    DEADLINE,
    PING,
    PONG,
    TEXT,
    frame,
    read_frame,
    read_head,
)

MASK = b"\x12\x34\x56\x78"
# RFC 6455, 1.3.
KEY, ACCEPT = b"dGhlIHNhbXBsZSBub25jZQ==", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
REQUEST = b"GET /ws HTTP/1.1\r\nHost: here\r\nsec-websocket-key:  " + KEY + b"\r\n\r\n"


@pytest.fixture(params=["echo"])
def server(programs, request):
    with subprocess.Popen(
        [str(programs["echo"]), request.param], stdout=subprocess.PIPE
    ) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Client:
    def __init__(self, port) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.stream = self.sock.makefile("rb")

    def upgrade(self, behind=b""):
        self.sock.sendall(REQUEST + behind)
        return read_head(self.stream)

    def close(self) -> None:
        self.stream.close()
        self.sock.close()


@pytest.fixture
def connect(server):
    with contextlib.ExitStack() as stack:

        def connected():
            client = Client(server)
            stack.callback(client.close)
            return client

        yield connected


@pytest.fixture
def client(connect):
    client = connect()
    client.upgrade()
    return client


def test_the_handshake_of_the_rfc(connect):
    head = connect().upgrade()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n" in head


def test_frames_behind_the_handshake_are_answered(connect):
    client = connect()
    client.upgrade(frame(TEXT, b"early", mask=MASK) + frame(TEXT, b"birds", mask=MASK)[:3])
    assert read_frame(client.stream) == (TEXT, b"early")
    client.sock.sendall(frame(TEXT, b"birds", mask=MASK)[3:])
    assert read_frame(client.stream) == (TEXT, b"birds")


def test_a_handshake_that_comes_byte_by_byte(connect):
    client = connect()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in REQUEST:
        client.sock.sendall(bytes([byte]))
    assert b" 101 " in read_head(client.stream)


@pytest.mark.parametrize("size", [0, 1, 7, 125, 126, 65535, 65536, 262144, 3 << 20])
def test_a_frame_comes_back_unmasked(client, size):
    payload = bytes(range(256)) * (size // 256 + 1)
    for _ in range(3):
        client.sock.sendall(frame(BINARY, payload[:size], mask=MASK))
        assert read_frame(client.stream) == (BINARY, payload[:size])


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_frames_may_be_cut_anywhere(client, chunk):
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    payloads = [bytes([n]) * (n * 9) for n in range(40)]
    sent = b"".join(frame(BINARY, payload, mask=MASK) for payload in payloads)
    for at in range(0, len(sent), chunk):
        client.sock.sendall(sent[at : at + chunk])
    assert [read_frame(client.stream) for _ in payloads] == [(BINARY, each) for each in payloads]


def test_a_reader_who_is_slow_gets_everything(client):
    payloads = [bytes([n]) * (1 << 20) for n in range(16)]
    client.sock.setblocking(False)
    waiting = b"".join(frame(BINARY, payload, mask=MASK) for payload in payloads)
    # As much as fits, unread by us; the server then cannot send either.
    with contextlib.suppress(BlockingIOError):
        while waiting:
            waiting = waiting[client.sock.send(waiting) :]
    client.sock.settimeout(DEADLINE)
    found = []
    for _ in payloads:
        found.append(read_frame(client.stream))
        with contextlib.suppress(BlockingIOError):
            client.sock.setblocking(False)
            while waiting:
                waiting = waiting[client.sock.send(waiting) :]
        client.sock.settimeout(DEADLINE)
    assert found == [(BINARY, each) for each in payloads]


def test_fragments_go_back_as_fragments(client):
    client.sock.sendall(frame(TEXT, b"be", fin=False, mask=MASK) + frame(0, b"gun", mask=MASK))
    assert client.stream.read(9) == b"\x01\x02be\x80\x03gun"


def test_a_ping_is_answered_and_a_close_ends_it(client):
    client.sock.sendall(frame(PING, b"here?", mask=MASK) + frame(CLOSE, b"\x03\xe8", mask=MASK))
    assert read_frame(client.stream) == (PONG, b"here?")
    assert read_frame(client.stream) == (CLOSE, b"\x03\xe8")
    assert client.stream.read() == b""


def test_a_plain_request_gets_a_page(connect):
    client = connect()
    client.sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    answer = client.stream.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("server", ["broadcast"], indirect=True)
def test_a_broadcast_reaches_everybody_who_is_there(connect):
    clients = [connect() for _ in range(5)]
    for client in clients:
        client.upgrade()
    clients.pop().close()
    for number in range(3):
        clients[number].sock.sendall(frame(TEXT, b"to all %d" % number, mask=MASK))
        for client in clients:
            assert read_frame(client.stream) == (TEXT, b"to all %d" % number)


def test_the_mode_has_to_be_named(programs):
    done = subprocess.run(
        [str(programs["echo"])], capture_output=True, check=False, timeout=DEADLINE
    )
    assert done.returncode == 2
