"""A socket whose reads and writes may wait, whatever its kind."""

import contextlib
import socket
import ssl
import threading
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from tests.support.sockets import KINDS, TLS, pair
from tests.support.waiting import DEADLINE
from ws4py._blocking import Blocking, blocking_for
from ws4py._transport import (
    TLSTransport,
    transport_for,
)


@pytest.fixture(name="ends", params=KINDS)
def fixture_ends(request):
    with pair(request.param) as ends:
        yield ends


@pytest.fixture(name="tls", params=TLS)
def fixture_tls(request):
    with pair(request.param) as ends:
        yield ends


class TestBlocking:
    def test_there_and_back(self, ends):
        blocking = Blocking(ends[0])
        data = b"x" * 3_000_000
        sending = threading.Thread(target=blocking.sendall, args=[data, None])
        sending.start()
        received = b""
        while len(received) < len(data):
            received += ends[1].recv(65536)
        sending.join()
        ends[1].sendall(b"back")
        assert blocking.recv(100, None) == b"back"

    def test_sent_by_a_signals_handler(self, tls):
        transport = transport_for(tls[0])
        with transport._lock:
            assert transport.send(b"x") == 1
        assert tls[1].recv(1) == b"x"

    def test_times_out(self, tls):
        blocking = Blocking(tls[0])
        with pytest.raises(TimeoutError):
            blocking.recv(1, 0.05)
        with pytest.raises(TimeoutError):
            blocking.sendall(b"x" * 50_000_000, 0.05)

    def test_unsent_goes_first(self, ends):
        blocking = Blocking(ends[0])
        blocking.unsent = b"first "
        blocking.sendall(b"second", None)
        assert blocking.unsent == b""
        received = b""
        while len(received) < 12:
            received += ends[1].recv(100)
        assert received == b"first second"

    def test_recv_now(self, ends):
        ends[0].setblocking(False)
        blocking = Blocking(ends[0])
        assert blocking.recv_now(10) is None
        ends[1].sendall(b"now")
        while (data := blocking.recv_now(10)) is None:
            pass
        assert data == b"now"

    def test_the_programs_timeout_does_not_matter_to_tls(self, tls):
        blocking = Blocking(tls[0])
        tls[0].settimeout(None)
        tls[1].sendall(b"x")
        assert blocking.recv(1, None) == b"x"
        assert tls[0].gettimeout() == 0

    def test_closed_by_another_thread(self, tls):
        """A waiting reader is woken; what it sees is an end or an error, never a hang."""
        blocking = Blocking(tls[0])
        seen = []

        def read():
            try:
                seen.append(blocking.recv(1, None))
            except OSError as error:
                seen.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        blocking.close()
        reader.join(DEADLINE)
        assert seen
        with pytest.raises(OSError, match=r"closed|descriptor"):
            blocking.recv(1, None)

    def test_waiting_for_a_closed_descriptor(self):
        sock = MagicMock()
        sock.recv.side_effect = ssl.SSLWantReadError()
        sock.gettimeout.return_value = 0
        sock.fileno.return_value = -1
        blocking = Blocking(sock)
        blocking.transport = TLSTransport(sock)
        with pytest.raises(OSError, match="has been closed"):
            blocking.recv(1, None)

    def test_waiting_until_tls_can_write(self, tls):
        sock, peer = tls
        blocking = Blocking(sock)
        blocking.transport = MagicMock()
        blocking.transport.recv.side_effect = [None, b"x"]
        blocking.transport.wants_write = True
        blocking.transport.fileno.return_value = sock.fileno()
        assert blocking.recv(1, DEADLINE) == b"x"
        assert peer

    def test_linger_waits_for_the_peers_end(self, ends):
        blocking = Blocking(ends[0])
        lingering = threading.Thread(target=blocking.linger, args=[DEADLINE])
        lingering.start()
        assert ends[1].recv(1) == b""
        ends[1].close()
        lingering.join(DEADLINE)
        assert not lingering.is_alive()

    def test_linger_ends_under_a_peer_that_only_talks(self):
        with pair() as (sock, peer):
            lingering = threading.Thread(target=Blocking(sock).linger, args=[0.1])
            lingering.start()
            peer.settimeout(0.05)
            while lingering.is_alive():
                with contextlib.suppress(TimeoutError):
                    peer.sendall(b"x" * 65536)
            lingering.join()

    def test_linger_of_a_mock(self):
        sock = MagicMock(spec=socket.socket)
        Blocking(sock).linger(1)
        assert sock.method_calls == []

    def test_reader(self):
        with pair() as (sock, _):
            blocking = Blocking(sock)
            assert not blocking.is_read_elsewhere()
            with blocking.reading():
                assert not blocking.is_read_elsewhere()
                seen = []
                asking = threading.Thread(target=lambda: seen.append(blocking.is_read_elsewhere()))
                asking.start()
                asking.join()
                assert seen == [True]

    def test_deadline_wakes_the_reader(self):
        with pair() as (sock, _):
            blocking = Blocking(sock)
            with blocking.reading():
                blocking.end_within(0.05)
                blocking.end_within(0.05)
                assert sock.recv(1) == b""

    def test_deadline_is_taken_back(self):
        with pair() as (sock, peer):
            blocking = Blocking(sock)
            blocking.end_within(0)
            with blocking.reading():
                blocking.end_within(DEADLINE)
            peer.sendall(b"x")
            assert sock.recv(1) == b"x"

    def test_one_for_each_socket(self):
        owner = SimpleNamespace(_own_io=None)
        with pair() as (first, second):
            blocking = blocking_for(owner, first)
            assert blocking_for(owner, first) is blocking
            other = blocking_for(owner, second)
            assert other.sock is second
            assert blocking_for(owner, second) is other

    def test_one_although_two_ask_at_once(self, monkeypatch):
        """The second finds, behind the lock, what the first has made meanwhile."""
        owner = SimpleNamespace(_own_io=None)
        with pair() as (sock, _):

            class Gate:
                def __enter__(self):
                    owner._own_io = made

                def __exit__(self, *exception):
                    pass

            made = Blocking(sock)
            monkeypatch.setattr("ws4py._blocking._making", Gate())
            assert blocking_for(owner, sock) is made
