"""Sockets of every kind as something that never blocks."""

import os
import socket
import ssl
import threading
import time
import tracemalloc
from unittest.mock import MagicMock

import pytest
from OpenSSL import SSL

from tests.support.serving import is_closed
from tests.support.sockets import KINDS, PLAIN, TLS, pair
from tests.support.waiting import DEADLINE
from ws4py._transport import (
    PlainTransport,
    PyOpenSSLTransport,
    TLSTransport,
    interrupt,
    is_real,
    is_tls,
    transport_for,
)

#: What is asked for at a time, as by a loop.
READ_SIZE = 64 * 1024


@pytest.fixture(name="ends", params=KINDS)
def fixture_ends(request):
    with pair(request.param) as ends:
        yield ends


@pytest.fixture(name="tls", params=TLS)
def fixture_tls(request):
    with pair(request.param) as ends:
        yield ends


def receive(transport, size):
    """Read until there is as much."""
    data, deadline = b"", time.monotonic() + DEADLINE
    while len(data) < size and time.monotonic() < deadline:
        piece = transport.recv(65536)
        if piece == b"":
            break
        data += piece or b""
    return data


def send_until_refused(transport):
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        transport.send(b"x" * 1000)


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "cls"),
        [
            ("tcp", PlainTransport),
            ("socketpair", PlainTransport),
            ("ssl", TLSTransport),
            ("pyopenssl", PyOpenSSLTransport),
        ],
    )
    def test_each_has_its_transport(self, kind, cls):
        with pair(kind) as (sock, _):
            transport = transport_for(sock)
            assert type(transport) is cls
            assert transport.buffers is is_tls(sock) is (kind in TLS)
            assert is_real(sock)
            assert transport.fileno() == sock.fileno()
            assert sock.gettimeout() == 0

    def test_subclasses(self):
        class Own(SSL.Connection):
            pass

        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        with pair() as (sock, _):
            assert is_tls(Own(context, sock))
            assert type(transport_for(Own(context, sock))) is PyOpenSSLTransport

    def test_mocks_are_plain_and_not_real(self):
        for spec in (None, socket.socket, ssl.SSLSocket, SSL.Connection):
            mock = MagicMock(spec=spec)
            assert not is_tls(mock)
            assert not is_real(mock)
            mock.setblocking = mock.setsockopt = MagicMock()
            assert type(transport_for(mock)) is PlainTransport
        assert not is_real(None)

    def test_nagle_is_off(self):
        with pair() as (sock, _):
            transport_for(sock)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_closed_socket(self, ends):
        ends[0].close()
        with pytest.raises(OSError, match="descriptor"):
            transport_for(ends[0])


class TestMoving:
    def test_nothing_there(self, ends):
        transport = transport_for(ends[0])
        assert transport.recv(100) is None
        assert transport.pending() == 0

    @pytest.mark.parametrize("kind", PLAIN)
    def test_takes_no_more_memory_than_has_come(self, kind):
        with pair(kind) as (ours, theirs):
            transport = transport_for(ours)
            theirs.sendall(b"first")
            assert transport.recv(READ_SIZE) == b"first"
            tracemalloc.start()
            try:
                theirs.sendall(b"second")
                assert transport.recv(READ_SIZE) == b"second"
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert most < READ_SIZE // 4

    def test_there_and_back(self, ends):
        transport = transport_for(ends[0])
        assert transport.send(b"hello") == 5
        assert ends[1].recv(100) == b"hello"
        ends[1].sendall(b"x" * 100_000)
        assert receive(transport, 100_000) == b"x" * 100_000

    def test_full(self, ends):
        transport = transport_for(ends[0])
        data = memoryview(b"x" * 1_000_000)
        while transport.send(data):
            pass
        assert transport.send(data) == 0
        assert not transport.wants_write

    def test_pending(self, tls):
        transport = transport_for(tls[0])
        tls[1].sendall(b"abcdef")
        while (data := transport.recv(2)) is None:
            pass
        assert data == b"ab"
        assert transport.pending() == 4
        assert transport.recv(100) == b"cdef"

    @pytest.mark.parametrize("kind", PLAIN)
    def test_end(self, kind):
        with pair(kind) as (sock, peer):
            peer.close()
            assert transport_for(sock).recv(1) == b""

    def test_close_notify(self, tls):
        transport = transport_for(tls[0])
        closing = threading.Thread(target=tls[1].unwrap)
        closing.start()
        assert receive(transport, 1) == b""
        transport.half_close()
        closing.join()

    def test_end_without_close_notify(self, tls):
        transport = transport_for(tls[0])
        interrupt(tls[1])
        if type(transport) is TLSTransport:
            assert receive(transport, 1) == b""
        else:
            with pytest.raises(ConnectionResetError, match="TLS"):
                receive(transport, 1)

    def test_garbage(self, tls):
        transport = transport_for(tls[0])
        socket.socket.send(tls[1], b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError, match="TLS"):
            receive(transport, 1)
        with pytest.raises(ConnectionResetError):
            transport.send(b"x")

    def test_sending_to_nobody(self, ends):
        transport = transport_for(ends[0])
        interrupt(ends[1])
        ends[1].close()
        with pytest.raises(ConnectionError):
            send_until_refused(transport)

    @pytest.mark.parametrize(
        ("cls", "error", "wants_write"),
        [
            (TLSTransport, ssl.SSLWantWriteError, True),
            (TLSTransport, ssl.SSLWantReadError, False),
            (PyOpenSSLTransport, SSL.WantWriteError, True),
            (PyOpenSSLTransport, SSL.WantReadError, False),
        ],
    )
    def test_tls_that_has_to_write_before_it_can_read(self, cls, error, wants_write):
        sock = MagicMock()
        sock.fileno.return_value = 7
        sock.recv.side_effect = [error(), b"x", error()]
        transport = cls(sock)
        assert transport.recv(1) is None
        assert transport.wants_write is wants_write
        assert transport.recv(1) == b"x"
        assert not transport.wants_write

    def test_ragged_end(self):
        sock = MagicMock()
        sock.recv.side_effect = ssl.SSLEOFError()
        assert TLSTransport(sock).recv(1) == b""


class TestEnding:
    def test_half_close(self, ends):
        transport = transport_for(ends[0])
        transport.half_close()
        assert ends[1].recv(1) == b""
        transport.half_close()

    def test_reading_goes_on(self):
        with pair() as (sock, peer):
            transport = transport_for(sock)
            transport.half_close()
            peer.sendall(b"still")
            assert receive(transport, 5) == b"still"

    @pytest.mark.parametrize("name", ["close", "abort"])
    def test_close(self, ends, name):
        transport = transport_for(ends[0])
        fd = transport.fileno()
        getattr(transport, name)()
        assert is_closed(fd)
        assert transport.fileno() == -1
        getattr(transport, name)()
        transport.half_close()

    def test_the_number_of_a_closed_descriptor_may_be_anothers(self, ends):
        """Nothing of ours may reach whoever has it now."""
        sock, _ = ends
        transport, fd = transport_for(sock), sock.fileno()
        mine, theirs = socket.socketpair()
        sock.close()
        os.dup2(mine.fileno(), fd)
        mine.close()
        with socket.socket(fileno=fd) as successor, theirs:
            theirs.sendall(b"not for us")
            for call in (lambda: transport.recv(10), lambda: transport.send(b"x")):
                with pytest.raises(OSError, match=r"closed|descriptor"):
                    call()
            transport.half_close()
            transport.abort()
            assert successor.recv(100) == b"not for us"
            successor.sendall(b"untouched")
            assert theirs.recv(100) == b"untouched"

    def test_abort_resets(self):
        with pair() as (sock, peer):
            transport_for(sock).abort()
            with pytest.raises(ConnectionResetError):
                peer.recv(1)

    def test_interrupt(self, ends):
        """Whoever waits sees an end, and the descriptor is still open."""
        sock, peer = ends
        interrupt(sock)
        assert not is_closed(sock.fileno())
        assert peer.recv(1) == b""
        sock.close()
        interrupt(sock)
        interrupt(MagicMock())
        interrupt(None)
