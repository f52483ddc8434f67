"""A program whose system calls are counted: a pool on gevent's hub and its peers.

Run as :mod:`tests.support.lane_program` is.
"""

import socket
import sys

import gevent
import gevent.socket

from tests.support.hub_thread import HubThread
from tests.support.lane_program import LISTENERS, PARTS, mark, put, take
from tests.support.raw import TEXT, frame
from ws4py.server._gevent_pool import GEventWebSocketPool
from ws4py.websocket import EchoWebSocket


class Waiting(EchoWebSocket):
    """Lets others have a turn before each answer."""

    def received_message(self, message):
        gevent.sleep(0)
        super().received_message(message)


def main(part: str) -> None:
    """Run one part; after "waiting-" with callbacks that wait."""
    kind = Waiting if part.startswith("waiting-") else EchoWebSocket
    peers = []
    with HubThread() as hub:
        pool = GEventWebSocketPool()
        for _ in range(LISTENERS):
            ours, peer = socket.socketpair()
            fd = ours.detach()
            hub.call(lambda fd=fd: pool.serve(kind(gevent.socket.socket(fileno=fd))))
            peers.append(peer)
        for peer in peers:
            put(peer, frame(TEXT, b"ready"))
            take(peer, 7)
        PARTS[part.removeprefix("waiting-")](pool.websockets, peers)
        mark()
        for peer in peers:
            peer.close()
        hub.call(pool.clear)


if __name__ == "__main__":
    main(sys.argv[1])
