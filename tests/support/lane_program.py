"""A program whose system calls are counted: a manager and its peers.

Run as a process of its own with the name of a part; it marks where the part begins and ends by
system calls that nothing else makes.
"""

import os
import socket
import sys
import threading

from tests.support.raw import TEXT, frame
from ws4py.manager import WebSocketManager
from ws4py.websocket import EchoWebSocket

ROUNDS = 200
BURSTS = 20
IN_BURST = 32
LISTENERS = 50

#: What marks the beginning and the end of a part: no descriptor has this number.
MARK = 987_654


def mark() -> None:
    """Leave a system call behind that can be found among all others."""
    try:
        os.close(MARK)
    except OSError:
        return


def take(sock, size) -> None:
    """Read that many bytes, by a call that the server does not make."""
    left = size
    while left:
        left -= len(os.read(sock.fileno(), left))


def put(sock, data) -> None:
    """Write all, by a call that the server does not make."""
    while data:
        data = data[os.write(sock.fileno(), data) :]


def echo(peer) -> None:
    """Have many messages sent back, one after the other."""
    data, size = frame(TEXT, b"hello"), len(frame(TEXT, b"hello", mask=False))
    for _ in range(ROUNDS):
        put(peer, data)
        take(peer, size)


def echoes(_manager, peers) -> None:
    mark()
    echo(peers[0])


def paused(manager, peers) -> None:
    """One peer sends and does not read, another one does both."""
    for websocket in manager:
        websocket.send(b"x" * 1_000_000, binary=True)
    os.set_blocking(peers[0].fileno(), False)
    try:
        while True:
            os.write(peers[0].fileno(), frame(TEXT, b"x" * 1000))
    except BlockingIOError:
        take(peers[1], 1_000_010)
    mark()
    echo(peers[1])


def bursts(_manager, peers) -> None:
    data, size = frame(TEXT, b"hello") * IN_BURST, len(frame(TEXT, b"hello", mask=False))
    mark()
    for _ in range(BURSTS):
        put(peers[0], data)
        take(peers[0], size * IN_BURST)


def broadcast(manager, peers) -> None:
    mark()
    manager.broadcast("hello")
    for peer in peers:
        take(peer, len(frame(TEXT, b"hello", mask=False)))


PARTS = {"echoes": echoes, "paused": paused, "bursts": bursts, "broadcast": broadcast}


def main(part: str) -> None:
    """Run one part."""
    manager = WebSocketManager()
    manager.start()
    peers = []
    for _ in range(LISTENERS):
        ours, peer = socket.socketpair()
        manager.add(EchoWebSocket(ours))
        peers.append(peer)
    # All have been served once, so nothing of their beginning is counted.
    for peer in peers:
        put(peer, frame(TEXT, b"ready"))
        take(peer, 7)
    PARTS[part](manager, peers)
    mark()
    for peer in peers:
        peer.close()
    manager.stop()
    manager.join(10)
    assert threading.active_count() == 1


if __name__ == "__main__":
    main(sys.argv[1])
