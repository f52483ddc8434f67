"""What programs do to a manager's connections behind its back."""

import contextlib
import os
import select
import socket
import threading

import pytest

from tests.support.deflating import deflate, extension
from tests.support.raw import BINARY, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.pollers import SelectPoller
from ws4py.exc import ConnectionClosed

GONE = (1006, "Going away")


class SelectOfTheirOwn:
    """As programs write one; a closed descriptor makes it raise."""

    def __init__(self) -> None:
        self.fds = set()

    def register(self, fd):
        self.fds.add(fd)

    def unregister(self, fd):
        self.fds.discard(fd)

    def poll(self):
        return select.select(list(self.fds), [], [], 0.05)[0]

    def release(self):
        self.fds.clear()


@pytest.fixture(name="served", params=[None, SelectPoller, SelectOfTheirOwn])
def fixture_served(request):
    with serving(request.param and request.param()) as served:
        yield served


def still_works(served):
    _, peer = served.connect(Echo)
    peer.send(frame(TEXT, b"hi"))
    assert peer.read_frame().payload == b"hi"


def test_socket_closed_by_the_program(served):
    websocket, peer = served.connect()
    websocket.sock.close()
    with contextlib.suppress(ConnectionClosed):
        websocket.send("x")
    assert websocket.wait_end() == GONE
    assert peer.at_end()
    still_works(served)


def test_descriptor_that_came_again(served):
    """The number of a descriptor that was closed behind our back is the next one's."""
    lost, _ = served.connect()
    sock, raw = socket.socketpair()
    # Not free in between, or the loop, which may just begin, might get the number.
    fd = lost.sock.detach()
    os.dup2(sock.fileno(), fd)
    sock.close()
    successor = Echo(socket.socket(fileno=fd))
    served.websockets.append(successor)
    served.manager.add(successor)
    with raw:
        raw.sendall(frame(TEXT, b"hi"))
        assert raw.recv(100) == b"\x81\x02hi"
        assert lost.wait_end() == GONE
        assert served.manager.websockets[fd] is successor
        assert successor.ends == []
    assert successor.wait_end() == GONE


def test_socket_closed_in_opened(served):
    class Closing(Recorder):
        def opened(self):
            super().opened()
            self.sock.close()

    websocket, _ = served.connect(Closing)
    assert websocket.wait_end() == GONE
    still_works(served)


def test_descriptor_that_came_again_while_it_was_opened(served):
    class Closing(Recorder):
        def opened(self):
            super().opened()
            # Not free in between, or the loop, which is about to begin, might get the number.
            fd = self.sock.detach()
            os.dup2(mine.fileno(), fd)
            taken.append(socket.socket(fileno=fd))

    taken = []
    mine, theirs = socket.socketpair()
    with mine, theirs:
        websocket, _ = served.connect(Closing)
        assert websocket.wait_end() == GONE
        # It is somebody else's descriptor now, and works.
        theirs.sendall(b"untouched")
        assert taken[0].recv(100) == b"untouched"
        taken[0].close()
    still_works(served)


def test_detached_socket(served):
    websocket, peer = served.connect()
    with socket.socket(fileno=websocket.sock.detach()) as taken:
        websocket.close()
        assert websocket.wait_end() == GONE
        taken.setblocking(True)
        peer.send(b"mine")
        assert taken.recv(10) == b"mine"


@pytest.mark.parametrize("where", ["received_message", "ponged"])
def test_removed_in_a_callback_and_read_by_the_program(served, where):
    class Leaving(Recorder):
        def act(self, *arguments):
            served.manager.remove(self)
            self.note("left")

    websocket, peer = served.connect(type("Leaving", (Leaving,), {where: Leaving.act}))
    peer.send(frame(TEXT, b"1") if where == "received_message" else frame(10, b"1"))
    wait_until(lambda: ("left",) in websocket.events)
    wait_until(lambda: len(served.manager) == 0)
    peer.send(frame(TEXT, b"2"))
    websocket.sock.setblocking(True)
    assert websocket.sock.recv(100)[:1] == b"\x81"
    assert websocket.ends == []
    websocket.terminate()
    assert websocket.ends == [GONE]


@pytest.mark.parametrize("kind", ["tcp", "ssl", "pyopenssl"])
def test_from_one_manager_to_another(served, kind):
    """Nothing is lost or torn, although the peer has not read for long."""
    websocket, peer = served.connect(Echo, kind)
    payload = os.urandom(5_000_000)
    websocket.send(payload, binary=True)
    served.manager.remove(websocket)
    assert websocket not in served.manager
    wait_until(lambda: not served.manager._crew.pick()._entries)
    assert websocket.ends == []
    with serving() as other:
        other.peers.append(peer)
        other.manager.add(websocket)
        # It waits until the peer has read.
        sending = threading.Thread(target=websocket.send, args=["second"])
        sending.start()
        assert peer.read_frame().payload == payload
        assert peer.read_frame().payload == b"second"
        sending.join()
        peer.send(frame(TEXT, b"third"))
        assert peer.read_frame().payload == b"third"
    assert websocket.ends == [GONE]


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_removed_with_something_unsent(served, kind):
    websocket, peer = served.connect(kind=kind)
    payload = os.urandom(5_000_000)
    websocket.send(payload, binary=True)
    served.manager.remove(websocket)
    wait_until(lambda: not served.manager._crew.pick()._entries)
    websocket.sock.setblocking(True)

    sending = threading.Thread(target=websocket.send, args=["next"])
    sending.start()
    assert peer.read_frame().payload == payload
    assert peer.read_frame().payload == b"next"
    sending.join()
    websocket.terminate()


def test_the_loop_that_it_leaves_does_not_end_it(served):
    """Somebody else may serve it already."""
    websocket, _ = served.connect()
    entry = websocket._outlet

    def meanwhile():
        thread = threading.Thread(target=served.manager.remove, args=[websocket])
        thread.start()
        thread.join(DEADLINE)
        entry.expire()

    entry.loop.post(meanwhile)
    wait_until(lambda: entry.retired)
    assert websocket.ends == []
    assert websocket.sock.fileno() >= 0
    websocket.terminate()


def test_remove_of_a_stranger_and_twice(served):
    websocket, _ = served.make()
    served.manager.remove(websocket)
    websocket.sock.close()
    websocket, _ = served.connect()
    served.manager.remove(websocket)
    served.manager.remove(websocket)
    assert websocket not in served.manager
    websocket.terminate()


def test_remove_behind_close_connection(served):
    class Leaving(Recorder):
        def received_message(self, message):
            self.close_connection()
            served.manager.remove(self)

    websocket, peer = served.connect(Leaving)
    peer.send(frame(TEXT, b"x"))
    assert websocket.wait_end() == GONE


@pytest.mark.parametrize("remove_first", [True, False])
def test_remove_and_terminate_at_once(served, remove_first):
    """Called by two threads, in either order, while the loop is busy elsewhere."""

    class Busy(Recorder):
        def received_message(self, message):
            begun.set()
            go_on.wait()

    begun, go_on = threading.Event(), threading.Event()
    _, busy_peer = served.connect(Busy)
    websocket, _ = served.connect()
    busy_peer.send(frame(TEXT, b"x"))
    begun.wait()
    outlet = websocket._outlet
    if remove_first:
        # Between the two halves of terminate(): it has found the manager in charge.
        served.manager.remove(websocket)
        assert outlet.retire() is False
    else:
        websocket.terminate()
        served.manager.remove(websocket)
    go_on.set()
    assert websocket.wait_end() == GONE


def test_own_process_that_raises(served, caplog):
    class Failing(Recorder):
        def process(self, data):
            raise ValueError("mine")

    websocket, peer = served.connect(Failing)
    peer.send(frame(TEXT, b"x"))
    assert peer.answer_close().close_code == 1011
    websocket.wait_end()
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_own_process_that_says_nothing(served):
    """Without the result it is as if reading were to end, as in 0.6."""

    class Forgetful(Echo):
        def process(self, data):
            super().process(data)

    websocket, peer = served.connect(Forgetful)
    websocket.close_timeout = 0.2
    peer.send(frame(TEXT, b"x"))
    assert peer.read_frame().payload == b"x"
    assert websocket.wait_end() == GONE


@pytest.mark.parametrize("raises", [True, False])
def test_own_once(served, raises):
    class Own(Echo):
        def once(self):
            if raises and self.messages:
                raise ValueError("mine")
            return super().once()

    websocket, peer = served.connect(Own)
    websocket.close_timeout = 0.2
    peer.send(frame(TEXT, b"1"))
    assert peer.read_frame().payload == b"1"
    if raises:
        peer.send(frame(TEXT, b"2"))
    else:
        peer.send(close_frame(4000))
        assert peer.read_frame().close_code == 4000
    peer.sock.close()
    assert websocket.wait_end() == (GONE if raises else (4000, ""))


def test_once_of_one_object(served):
    websocket, peer = served.make()
    seen = []

    def once():
        seen.append(websocket.sock.recv(100))
        return bool(seen[-1])

    websocket.once = once
    served.manager.add(websocket)
    peer.send(b"anything")
    wait_until(lambda: seen == [b"anything"])


def test_own_terminate_and_close_connection(served):
    class Own(Recorder):
        def terminate(self):
            self.note("before")
            super().terminate()

        def close_connection(self):
            self.note("closing")

    websocket, peer = served.connect(Own)
    fd = websocket.sock.fileno()
    peer.send(close_frame(4000))
    peer.read_frame()
    peer.sock.close()
    wait_until(lambda: len(websocket.ends) == 1)
    wait_until(lambda: not served.manager._crew.pick()._entries)
    websocket.wait_end()
    assert ("closing",) in websocket.events
    still_works(served)
    assert websocket.sock.fileno() in (-1, fd)
    websocket.events = [event for event in websocket.events if event[0] != "closing"]


def test_own_write(served):
    class Watching(Echo):
        def _write(self, b):
            self.note("write", bytes(b))
            super()._write(b)

    class Redirecting(Echo):
        def _write(self, b):
            self.note("write", bytes(b))

    for cls in (Watching, Redirecting):
        websocket, peer = served.connect(cls)
        peer.send(frame(TEXT, b"1") + frame(9, b"2"))
        wait_until(lambda ws=websocket: ("write", b"\x8a\x012") in ws.events)
        assert ("write", b"\x81\x011") in websocket.events
        websocket.close()
        assert websocket.events[-1][1][:1] == b"\x88"
        websocket.terminate()
        websocket.wait_end()


def test_poller_that_is_broken_ends_everything(monkeypatch):
    class Broken(SelectOfTheirOwn):
        def poll(self):
            raise OSError(22, "of no use")

    errors = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    with serving(Broken(), start=False) as served:
        websocket, _ = served.connect()
        served.manager.start()
        served.manager.join(20)
        assert websocket.wait_end() == GONE
    assert [error.exc_type for error in errors] == [OSError]


@pytest.mark.parametrize("workers", [None, 1])
def test_bombs_in_one_read_are_taken_a_few_at_a_time(workers):
    """What else the loop has to do comes in between, and nothing is lost."""
    most = []

    class Counting(Recorder):
        def process(self, data):
            before = len(self.events)
            proceed = super().process(data)
            most.append(len(self.events) - before)
            return proceed

        def received_message(self, message):
            self.note("size", len(message))

    with serving(workers=workers) as served:
        websocket, peer = served.make(Counting)
        websocket.stream.extension = extension()
        served.manager.add(websocket)
        bomb = deflate(b"\0" * 500_000)
        peer.send(b"".join(frame(BINARY, bomb, rsv=4) for _ in range(40)) + close_frame())
        peer.read_frame()
        peer.sock.close()
        websocket.wait_end()
        sizes = [event[1] for event in websocket.events if event[0] == "size"]
        assert sizes == [500_000] * 40
        assert workers or max(most) <= 3
