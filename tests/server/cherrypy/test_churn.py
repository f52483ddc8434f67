"""Many connections that end in every way, and a peer that sends what it may not.

In a process of its own, whose descriptors, threads and memory can be looked at.
"""

import struct

import pytest

from tests.support.cherrypy_process import ServerProcess
from tests.support.raw import BINARY, CLOSE, TEXT, Frame, frame
from tests.support.waiting import wait_until
from ws4py.websocket import WebSocket

_CONNECTIONS = 1000
_AT_ONCE = 100
#: Looks at the server's descriptors that have to agree.
_STILL = 50
_MEBIBYTE = 1024 * 1024
_DECLARED = 1024 * _MEBIBYTE
_PUSHED = 200 * _MEBIBYTE
_KEY = b"\x01\x02\x03\x04"


@pytest.fixture
def server(tmp_path):
    with ServerProcess("echo.py", tmp_path) as running:
        # A worker's first request makes what it keeps.
        for _ in range(20):
            with running.connect(behind=frame(TEXT, b"hi")) as client:
                assert client.read_frame() == Frame(TEXT, b"hi")
                client.say_goodbye()
        wait_until(lambda: len(running.closed()) == 20)
        settle(running)
        yield running


def settle(server) -> None:
    """Wait until what cheroot has on its way has gone: the same count for a while."""
    seen = []

    def is_still() -> bool:
        seen.append((server.descriptors(), server.threads()))
        return len(seen) >= _STILL and len(set(seen[-_STILL:])) == 1

    wait_until(is_still)


def declared(length) -> bytes:
    """The head of a frame, and nothing of the frame."""
    return struct.pack("!BBQ", 0x80 | BINARY, 0xFF, length) + _KEY


def end(client, number) -> None:
    """One of three ways."""
    if number % 3 == 0:
        client.say_goodbye()
        client.sock.close()
    elif number % 3 == 1:
        client.reset()
    else:
        client.sock.close()


def test_a_thousand_connections_leave_nothing_behind(server):
    before = server.descriptors(), server.threads()
    for start in range(0, _CONNECTIONS, _AT_ONCE):
        clients = [server.connect(behind=frame(TEXT, b"hi")) for _ in range(_AT_ONCE)]
        for number, client in enumerate(clients, start):
            assert client.read_frame() == Frame(TEXT, b"hi")
            end(client, number)
    wait_until(lambda: len(server.closed()) >= 20 + _CONNECTIONS)
    wait_until(lambda: (server.descriptors(), server.threads()) == before)
    assert len(server.opened()) == 20 + _CONNECTIONS
    # Each of them once.
    assert sorted(server.closed()) == sorted(server.opened())
    assert len(server.closed(1000)) == 20 + len(range(0, _CONNECTIONS, 3))
    assert len(server.closed(1000)) + len(server.closed(1006)) == len(server.closed())
    assert "Traceback" not in server.text()


def test_a_message_above_the_limit_costs_no_memory(server):
    before, most = server.memory(), 0
    piece = bytes(_MEBIBYTE)
    with server.connect() as client:
        client.send(declared(_DECLARED))
        received = client.read_frame()
        assert (received.opcode, received.close_code) == (CLOSE, 1009)
        for _ in range(_PUSHED // _MEBIBYTE):
            client.send(piece)
            most = max(most, server.memory() - before)
    # Nothing of it is kept, not even what a message may have.
    assert most < WebSocket.max_message_size / 2
    wait_until(lambda: len(server.closed(1006)) == 1)


def test_frames_that_are_declared_only_cost_no_memory(server):
    before = server.memory()
    clients = [server.connect() for _ in range(_AT_ONCE)]
    for client in clients:
        client.send(declared(WebSocket.max_message_size) + b"x")
    with server.connect(behind=frame(TEXT, b"hi")) as other:
        assert other.read_frame() == Frame(TEXT, b"hi")
    assert server.memory() - before < WebSocket.max_message_size
    for client in clients:
        client.reset()
    wait_until(lambda: len(server.closed(1006)) >= _AT_ONCE)
