"""What several servers need to give a socket away."""

import io
import socket
import threading
from unittest.mock import Mock

import pytest

from tests.support.raw import frame
from tests.support.sockets import KINDS, pair
from tests.support.toy import Toy
from tests.support.waiting import DEADLINE, wait_until
from ws4py.protocol.handshake import Acceptance
from ws4py.server._takeover import dead_socket, discard, extend, send_all, take_buffered
from ws4py.websocket import WebSocket

_MEBIBYTE = bytes(range(256)) * 4096


def test_a_dead_socket_reads_as_ended_and_can_be_ended():
    dead = dead_socket()
    assert dead.recv(10) == b""
    dead.shutdown(socket.SHUT_RDWR)
    dead.close()


# -- What was agreed on ----------------------------------------------------------

_UPGRADE = ("Upgrade", "websocket")
_EXTENSIONS = ("Sec-WebSocket-Extensions", "x-toy")


def test_a_handler_is_given_the_extension_that_its_client_is_promised():
    handler, toy = WebSocket(None), Toy()
    accepted = Acceptance([_UPGRADE, _EXTENSIONS], [], ["x-toy"], toy)
    assert extend(handler, accepted) == [_UPGRADE, _EXTENSIONS]
    assert handler.stream.extension is toy


def test_a_handler_that_is_not_ours_has_none_and_none_is_promised():
    accepted = Acceptance([_UPGRADE, _EXTENSIONS], [], ["x-toy"], Toy())
    for handler in (object(), Mock()):
        assert extend(handler, accepted) == [_UPGRADE]


def test_nothing_was_agreed_on():
    handler, accepted = WebSocket(None), Acceptance([_UPGRADE])
    assert extend(handler, accepted) == [_UPGRADE]
    assert handler.stream.extension is None


# -- What was read behind the request --------------------------------------------


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_what_a_reader_holds_is_taken_whole(kind):
    with pair(kind) as (sock, peer), sock.makefile("rb") as reader:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n" + frame(1, b"early"))
        while reader.readline() != b"\r\n":
            pass
        assert len(take_buffered(reader, sock)) == len(frame(1, b"early"))


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_an_empty_reader_does_not_wait(kind):
    with pair(kind) as (sock, _), sock.makefile("rb") as reader:
        assert take_buffered(reader, sock) == b""


def test_what_the_kernel_has_may_come_along():
    with pair() as (sock, peer), sock.makefile("rb") as reader:
        peer.sendall(b"frame")
        wait_until(lambda: take_buffered(reader, sock) == b"frame")


def test_the_end_is_no_bytes():
    with pair() as (sock, peer), sock.makefile("rb") as reader:
        peer.close()
        assert take_buffered(reader, sock) == b""


def test_a_reset_is_no_bytes():
    with pair() as (sock, peer), sock.makefile("rb") as reader:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        assert take_buffered(reader, sock) == b""


def test_a_reader_that_knows_what_it_holds_is_not_made_to_read():
    """cheroot's, whose ``peek`` would wait."""

    class Reader(io.BytesIO):
        held = b""

        def has_data(self):
            return bool(self.held)

        def peek(self, _size):
            assert self.held, "would read from the socket"
            return self.held

    reader = Reader()
    assert take_buffered(reader) == b""
    reader.held = b"frame"
    assert take_buffered(reader) == b"frame"


# -- Answering and ending --------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_response_of_any_size_is_sent(kind):
    with pair(kind) as (sock, peer):
        received = bytearray()

        def read():
            while data := peer.recv(65536):
                received.extend(data)

        thread = threading.Thread(target=read)
        thread.start()
        send_all(sock, _MEBIBYTE)
        discard(sock)
        thread.join(DEADLINE)
        assert received == _MEBIBYTE


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_takes_nothing_is_not_waited_for_without_end(kind, monkeypatch):
    monkeypatch.setattr("ws4py.server._takeover._SEND_SECONDS", 0.05)
    with pair(kind) as (sock, _):
        with pytest.raises(TimeoutError):
            send_all(sock, _MEBIBYTE * 16)
        discard(sock)


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_ended_without_a_reset(kind):
    with pair(kind) as (sock, peer):
        sock.sendall(b"the refusal")
        peer.sendall(b"frames that nobody wants" * 1000)
        discard(sock)
        assert peer.recv(100) == b"the refusal"
        assert peer.recv(100) == b""


def test_a_client_that_is_gone_already():
    with pair() as (sock, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        discard(sock)
        assert sock.fileno() == -1


def test_a_client_that_does_not_stop_sending():
    with pair() as (sock, peer):
        ended = threading.Event()

        def send():
            try:
                while True:
                    peer.sendall(_MEBIBYTE)
            except OSError:
                ended.set()

        thread = threading.Thread(target=send)
        thread.start()
        wait_until(lambda: sock.recv(1))
        discard(sock)
        assert ended.wait(DEADLINE)
        thread.join(DEADLINE)
