"""A taken socket: what the server still holds is dead, what we hold is alive."""

import errno
import os
import select
import socket

import pytest

from tests.support.raw import frame
from tests.support.sockets import pair
from tests.support.waiting import DEADLINE, wait_until
from ws4py.server import _transplant
from ws4py.server._transplant import ShadowedSocket, transplant

KINDS = ("tcp", "ssl")


@pytest.fixture(params=KINDS)
def taken(request):
    """Our socket, the server's and the client's."""
    with pair(request.param) as (theirs, peer):
        ours = transplant(theirs)
        yield ours, theirs, peer
        ours.close()
        theirs.close()


def test_ours_is_alive(taken):
    ours, _, peer = taken
    peer.sendall(b"ping")
    assert ours.recv(100) == b"ping"
    ours.sendall(b"pong" * 10_000)
    received = b""
    while len(received) < 40_000:
        received += peer.recv(65536)
    assert received == b"pong" * 10_000


def test_the_servers_reads_as_ended(taken):
    _, theirs, peer = taken
    peer.sendall(b"not for the server")
    assert theirs.recv(100) == b""
    assert theirs.recv_into(bytearray(10)) == 0
    with theirs.makefile("rb") as reader:
        assert reader.read() == b""


def test_what_the_server_still_writes_goes_nowhere(taken):
    ours, theirs, peer = taken
    for write in (theirs.send, theirs.sendall):
        try:
            write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        except BrokenPipeError:
            assert not isinstance(ours, ShadowedSocket)
    ours.sendall(b"first")
    assert peer.recv(100) == b"first"


def test_the_server_may_do_what_servers_do(taken):
    ours, theirs, peer = taken
    theirs.setblocking(False)
    theirs.settimeout(3)
    if hasattr(theirs, "unwrap"):
        theirs.unwrap()
    theirs.shutdown(socket.SHUT_RDWR)
    theirs.close()
    theirs.close()
    peer.sendall(b"still there?")
    assert ours.recv(100) == b"still there?"


def test_what_the_server_waits_for_is_an_end_and_no_frame(taken):
    ours, theirs, _ = taken
    assert theirs.fileno() != ours.fileno()
    ready, _, _ = select.select([theirs], [], [], DEADLINE)
    assert ready == [theirs]
    assert not select.select([ours], [], [], 0)[0]


def test_it_can_be_made_not_to_block(taken):
    ours, _, _ = taken
    ours.setblocking(False)
    with pytest.raises(OSError, match=r"unavailable|want|did not complete"):
        ours.recv(1)
    ours.settimeout(5)
    assert ours.gettimeout() == 5
    ours.setblocking(True)
    assert ours.gettimeout() is None


def test_it_blocks_until_told_otherwise():
    with pair() as (theirs, _):
        theirs.settimeout(1)
        with transplant(theirs) as ours:
            assert ours.gettimeout() is None


def test_it_knows_its_addresses(taken):
    ours, _, peer = taken
    assert ours.getpeername() == peer.getsockname()
    assert ours.getsockname() == peer.getpeername()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def test_our_close_is_the_end_for_the_client(taken):
    ours, _, peer = taken
    ours.close()
    assert peer.recv(10) == b""


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_open(kind, first):
    with pair(kind) as (theirs, peer):
        ours = transplant(theirs)
        # A server has a reader that it closes at some time or other.
        reader = theirs.makefile("rb", buffering=8192)
        ends = [ours.close, theirs.close]
        for close in ends if first == "ours" else reversed(ends):
            close()
        reader.close()
        assert peer.recv(10) == b""
        assert theirs.fileno() == -1


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_descriptor_left_the_server_keeps_its_socket(kind, monkeypatch):
    def fail():
        raise OSError(errno.EMFILE, "no descriptor left")

    monkeypatch.setattr(_transplant, "dead_socket", fail)
    with pair(kind) as (theirs, peer):
        # What had been made by then would be told of by a ResourceWarning.
        with pytest.raises(OSError, match="no descriptor left"):
            transplant(theirs)
        theirs.sendall(b"500")
        assert peer.recv(10) == b"500"


def test_a_reader_that_outlives_both():
    with pair("ssl") as (theirs, peer):
        ours = transplant(theirs)
        reader = theirs.makefile("rb")
        theirs.close()
        ours.close()
        reader.close()
        assert peer.recv(10) == b""


def test_the_end_below_tls():
    with pair("ssl") as (theirs, peer):
        ours = transplant(theirs)
        number = ours.fileno()
        ours.setblocking(False)
        with pytest.raises(OSError):  # noqa: PT011 - the peer's close_notify has not come
            ours.unwrap()
        assert peer.recv(10) == b""
        ours.shutdown(socket.SHUT_WR)
        ours.close()
        theirs.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


def test_decrypted_bytes_are_known():
    with pair("ssl") as (theirs, peer):
        ours = transplant(theirs)
        peer.sendall(frame(1, b"hello"))
        assert len(ours.recv(1)) == 1
        wait_until(lambda: ours.pending() == 10)
        ours.close()
        theirs.close()
