"""Peers that do not read, and threads that wait for them."""

import threading

from tests.support.lanes import in_lane
from tests.support.serving import Recorder
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import WebSocketException

__all__ = [
    "GONE",
    "HEAD",
    "LARGE",
    "Call",
    "Impatient",
    "Patient",
    "block",
    "connect",
    "ledger",
    "skip",
    "waiting_for",
]

#: How a connection ends whose peer has said nothing.
GONE = (1006, "Going away")
#: What a frame has beside its payload, at the most.
HEAD = 10
#: More than the kernel keeps of a socket pair.
LARGE = 2_000_000


class Patient(Recorder):
    """Waits for its peer for ever, so a wake-up that is lost is found."""

    write_timeout = None
    # Or its pings would come between what a test waits for.
    ping_interval = None


class Impatient(Recorder):
    """Gives its peer up soon where nobody can wait, and is in no hurry otherwise."""

    write_timeout = ping_interval = None
    unsent_hard_limit = 300_000
    close_timeout = 0.2


class Call(threading.Thread):
    """A call in a thread of its own."""

    def __init__(self, call, *arguments, **keywords) -> None:
        super().__init__(name="Call", daemon=True)
        self._call = lambda: call(*arguments, **keywords)
        self.error = None
        self.start()

    def run(self):
        try:
            self._call()
        except (WebSocketException, OSError) as error:
            self.error = error

    def end(self):
        """Wait for it, and return what it has raised."""
        self.join(DEADLINE)
        assert not self.is_alive()
        return self.error


def waiting_for(websocket) -> int:
    """How many threads wait for room."""
    backlog = websocket._outlet._backlog
    return 0 if backlog is None else len(backlog._room._waiters)


def block(websocket, size=LARGE) -> None:
    """Send what the peer has to read before there is room again."""
    wait_until(lambda: websocket._outlet._registered)
    websocket.send(b"x" * size, binary=True)
    assert websocket._outlet.crowded


def ledger(served):
    """Of all that a manager's websockets hold."""
    return served.manager._crew.ledger


def connect(served, cls=Patient, kind="socketpair", **keywords):
    """A websocket that is served, in the lane where there is one, and its peer."""
    websocket, peer = served.connect(cls, kind, **keywords)
    if kind in ("tcp", "socketpair"):
        in_lane(served, websocket)
    return websocket, peer


def skip(peer, size) -> None:
    """Read so much and throw it away."""
    place = bytearray(1 << 20)
    while size:
        received = peer.sock.recv_into(place, min(size, len(place)))
        assert received
        size -= received
