"""wsgiref with a thread for each request: what comes at once, and while the server closes."""

import threading

import pytest

from tests.support.raw import TEXT, frame
from tests.support.sockets import pair
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wsgiref_thread import make
from ws4py.manager import WebSocketManager
from ws4py.server import wsgirefserver
from ws4py.websocket import EchoWebSocket


def nothing(_environ, _start_response):
    raise NotImplementedError


@pytest.fixture
def slow(monkeypatch):
    """Managers that are long in the making; returns them, and the event that ends the wait."""
    made, go_on = [], threading.Event()

    class SlowManager(WebSocketManager):
        def __init__(self):
            made.append(self)
            assert go_on.wait(DEADLINE)
            super().__init__()
            # One too many shall fail the test and not keep the interpreter from ending.
            self.daemon = True

    monkeypatch.setattr(wsgirefserver, "WebSocketManager", SlowManager)
    return made, go_on


def linked(server, sock):
    """A thread in which the server is given a websocket."""
    thread = threading.Thread(target=server.link_websocket_to_server, args=(EchoWebSocket(sock),))
    thread.start()
    return thread


def test_two_first_websockets_at_once_have_one_manager(slow):
    made, go_on = slow
    with pair() as (one, peer), pair() as (other, other_peer), make(nothing) as server:
        threads = [linked(server, one), linked(server, other)]
        wait_until(lambda: made)
        # The second would be at it by then, if it could.
        threads[0].join(0.2)
        go_on.set()
        for thread in threads:
            thread.join(DEADLINE)
        assert len(made) == 1
        for each in (peer, other_peer):
            each.sendall(frame(TEXT, b"hi"))
            assert each.recv(4) == b"\x81\x02hi"


def test_a_first_websocket_while_the_server_closes_leaves_no_manager(slow):
    made, go_on = slow
    with pair() as (sock, peer), make(nothing) as server:
        thread = linked(server, sock)
        wait_until(lambda: made)
        closing = threading.Thread(target=server.server_close)
        closing.start()
        closing.join(0.2)
        go_on.set()
        thread.join(DEADLINE)
        # Turned away or said goodbye to, by whoever was first.
        assert peer.recv(4)[2:] == b"\x03\xe9"
        peer.close()
        closing.join(DEADLINE)
        assert not closing.is_alive()
        assert not made[0].is_alive()
