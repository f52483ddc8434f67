"""A running manager with connections whose other ends are the test's."""

import contextlib
import os
import threading

from tests.support.raw import CLOSE, RawClient, close_frame
from tests.support.sockets import connected
from tests.support.waiting import DEADLINE, wait_until
from ws4py.manager import WebSocketManager
from ws4py.websocket import WebSocket


class Peer(RawClient):
    """A raw client on a socket that is connected already."""

    def __init__(self, sock) -> None:
        self.sock = sock
        self.buffer = b""

    def answer_close(self):
        """Wait for the close frame, answer it, and close; returns it."""
        while (received := self.read_frame()).opcode != CLOSE:
            pass
        self.send(close_frame(received.close_code))
        assert self.at_end()
        self.sock.close()
        return received


def is_closed(fd) -> bool:
    """Whether the descriptor is closed."""
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False


class Recorder(WebSocket):
    """Writes down what it is told, and by which thread."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.events = []
        self.threads = set()
        #: Whether the descriptor was closed as soon as `terminate` was through.
        self.released = None

    def note(self, *event) -> None:
        self.threads.add(threading.current_thread().name)
        self.events.append(event)

    def opened(self):
        self.note("opened")

    def received_message(self, message):
        self.note("message", message.data)

    def ponged(self, pong):
        self.note("ponged", pong.data)

    def closed(self, code, reason=None):
        self.note("closed", code, reason)

    def terminate(self):
        fd = self.sock.fileno() if self.sock is not None else -1
        before = self.ends
        super().terminate()
        if not before and self.ends:
            self.released = is_closed(fd)

    def was_released(self) -> bool:
        """Wait for the end of `terminate`; whether the descriptor was closed by then."""
        wait_until(lambda: self.released is not None)
        return self.released

    @property
    def messages(self) -> list[bytes]:
        return [event[1] for event in self.events if event[0] == "message"]

    @property
    def ends(self) -> list[tuple]:
        return [event[1:] for event in self.events if event[0] == "closed"]

    def wait_end(self) -> tuple:
        wait_until(lambda: self.ends)
        wait_until(lambda: self.stream is None)
        return self.ends[0]


class Unwaiting(Recorder):
    """Its send() never waits for the peer to read."""

    unsent_soft_limit = None


class Echo(Recorder):
    """Sends every message back."""

    def received_message(self, message):
        super().received_message(message)
        self.send(message)


class Serving:
    """A manager and the connections that a test gave it."""

    def __init__(self, manager) -> None:
        self.manager = manager
        self.websockets = []
        self.peers = []

    def make(self, cls=Recorder, kind="tcp", **keywords):
        """A websocket that is not added yet, and its peer."""
        sock, raw = connected(kind)
        websocket, peer = cls(sock, **keywords), Peer(raw)
        self.websockets.append(websocket)
        self.peers.append(peer)
        return websocket, peer

    def connect(self, cls=Recorder, kind="tcp", **keywords):
        """A websocket that is served, and its peer."""
        websocket, peer = self.make(cls, kind, **keywords)
        self.manager.add(websocket)
        return websocket, peer


@contextlib.contextmanager
def serving(poller=None, start=True, loops=1, **settings):
    """A manager; at the end every connection must have ended, and exactly once."""
    manager = WebSocketManager(poller, loops, **settings)
    served = Serving(manager)
    if start:
        manager.start()
    try:
        yield served
    finally:
        for peer in served.peers:
            peer.sock.close()
        manager.stop()
        manager.join(DEADLINE)
    assert not manager.is_alive()
    assert len(manager) == 0
    for websocket in served.websockets:
        if isinstance(websocket, Recorder) and ("opened",) in websocket.events:
            assert len(websocket.ends) == 1, websocket.events
            assert websocket.events[-1][0] == "closed", websocket.events
            assert isinstance(websocket.ends[0][1], str)
