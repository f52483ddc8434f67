"""A program of gevent's whose send() waits, since threads are greenlets there.

Run as a process of its own, for the sake of its monkey patching.
"""

import sys
import typing

from gevent import monkey

monkey.patch_all()

import socket

import gevent

from tests.support.pressing import LARGE, waiting_for
from tests.support.raw import TEXT, frame
from tests.support.serving import Peer
from ws4py.exc import WebSocketException
from ws4py.server._gevent_pool import GEventWebSocketPool
from ws4py.websocket import WebSocket


class Patient(WebSocket):
    """Waits for its peer for ever."""

    write_timeout = None
    ends: typing.ClassVar[list[int]] = []

    def received_message(self, message):
        for _ in range(4):
            self.send(b"x" * LARGE, binary=True)

    def closed(self, code, reason=None):
        self.ends.append(code)


class Hasty(Patient):
    """Gives its peer up soon."""

    write_timeout = close_timeout = 0.2


def connect(cls):
    ours, peer = socket.socketpair()
    peer.settimeout(20)
    websocket = cls(ours)
    GEventWebSocketPool().serve(websocket)
    gevent.sleep(0)
    return websocket, Peer(peer)


def until(condition) -> None:
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.001)


def a_greenlet() -> None:
    websocket, peer = connect(Patient)
    websocket.send(b"x" * LARGE, binary=True)
    waiting = gevent.spawn(websocket.send, "late")
    until(lambda: waiting_for(websocket) == 1)
    assert len(peer.read_frame().payload) == LARGE
    waiting.get(timeout=20)
    assert peer.read_frame().payload == b"late"
    peer.sock.close()
    until(lambda: websocket.ends)


def its_own_callback() -> None:
    websocket, peer = connect(Patient)
    peer.send(frame(TEXT, b"go"))
    until(lambda: waiting_for(websocket) == 1)
    assert websocket._outlet.unsent <= LARGE + 10
    assert [len(peer.read_frame().payload) for _ in range(4)] == [LARGE] * 4
    peer.sock.close()
    until(lambda: websocket.ends)


def at_the_end() -> None:
    websocket, peer = connect(Hasty)
    websocket.send(b"x" * LARGE, binary=True)
    try:
        websocket.send("late")
    except WebSocketException:
        until(lambda: websocket.ends)
    peer.sock.close()


PARTS = {"a greenlet": a_greenlet, "its own callback": its_own_callback, "at the end": at_the_end}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
    sys.stdout.write("done")
