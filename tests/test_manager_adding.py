"""What a newcomer costs a manager, and what is known of it afterwards."""

import logging
import socket

import pytest

from tests.support.serving import Recorder, serving


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


class Counted(socket.socket):
    """Counts what it is asked to do."""

    def __init__(self, sock) -> None:
        super().__init__(fileno=sock.detach())
        self.calls = []

    def setblocking(self, flag):
        self.calls.append("setblocking")
        super().setblocking(flag)

    def setsockopt(self, *arguments):
        self.calls.append("setsockopt")
        super().setsockopt(*arguments)

    def getsockname(self):
        self.calls.append("getsockname")
        return super().getsockname()

    def getpeername(self):
        self.calls.append("getpeername")
        return super().getpeername()


class Books(dict):
    """Counts who reads all of it."""

    looks = 0

    def values(self):
        self.looks += 1
        return super().values()


def test_nobody_else_is_looked_at(served):
    served.connect()
    served.manager.websockets = books = Books(served.manager.websockets)
    newcomer, _ = served.connect()
    assert books.looks == 0
    # Nor for one that is here already.
    served.manager.add(newcomer)
    assert books.looks == 0
    assert len(books) == 2


def test_the_socket_is_prepared_once(served):
    websocket, _ = served.make()
    websocket.sock = sock = Counted(websocket.sock)
    served.manager.add(websocket)
    assert sorted(sock.calls) == ["getpeername", "setblocking", "setsockopt"]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_addresses_are_put_together_for_a_log_that_wants_them(served, caplog, level):
    caplog.set_level(level, "ws4py")
    websocket, _ = served.make()
    websocket.sock = sock = Counted(websocket.sock)
    host, port = sock.getpeername()
    served.manager.add(websocket)
    wanted = level == logging.INFO
    assert ("getsockname" in sock.calls) == wanted
    assert (f"Remote => {host}:{port}" in caplog.text) == wanted


def test_closed_can_say_who_it_was_that_reset_the_connection(served):
    class Telling(Recorder):
        def closed(self, code, reason=None):
            self.who = self.peer_address
            super().closed(code, reason)

    websocket, peer = served.connect(Telling)
    address = peer.sock.getsockname()
    peer.reset()
    websocket.wait_end()
    assert websocket.who == address
