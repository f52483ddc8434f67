"""What a program's own once() reads in the place of a TLS socket."""

from unittest.mock import MagicMock

import pytest

from ws4py._engine.fed import FedSocket, feed_once
from ws4py.websocket import WebSocket


def test_reads_what_it_was_fed():
    fed = FedSocket(MagicMock(), b"abcdef")
    assert fed.pending() == 6
    assert fed.recv(2) == b"ab"
    assert fed.recv(100, 0) == b"cdef"
    assert fed.pending() == 0
    assert fed.recv(100) == b""


def test_error():
    fed = FedSocket(MagicMock(), ConnectionResetError("gone"))
    assert fed.pending() == 0
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            fed.recv(1)


def test_all_else_is_the_sockets():
    sock = MagicMock()
    fed = FedSocket(sock, b"")
    assert fed.getpeername() is sock.getpeername.return_value
    assert fed.fileno() is sock.fileno.return_value


class Own(WebSocket):
    """Reads as many bytes as it is told to."""

    def __init__(self, size) -> None:
        super().__init__(MagicMock())
        self.size = size
        self.seen = []

    def once(self):
        self.seen.append(self.sock.recv(self.size) if self.size else b"")
        return self.seen[-1] not in (b"", b"end")


@pytest.mark.parametrize(
    ("size", "data", "seen", "proceed"),
    [
        (100, b"abc", [b"abc"], True),
        (2, b"abc", [b"ab", b"c"], True),
        (3, b"endabc", [b"end"], False),
        (100, b"", [b""], False),
        (0, b"abc", [b""], False),
    ],
)
def test_once_is_fed(size, data, seen, proceed):
    websocket = Own(size)
    sock = websocket.sock
    assert feed_once(websocket, sock, data) is proceed
    assert websocket.seen == seen
    assert websocket.sock is sock


def test_once_that_leaves_it():
    websocket = Own(0)
    websocket.once = MagicMock(return_value=True)
    assert feed_once(websocket, websocket.sock, b"abc") is True
    assert websocket.once.call_count == 1


def test_once_that_closes_it():
    websocket = Own(0)
    websocket.once = lambda: websocket.__dict__.update(sock=None)
    assert feed_once(websocket, websocket.sock, b"abc") is False
    assert websocket.sock is None
