"""Sending to all: everybody gets it, and whoever does not read holds up nobody."""

import threading
from functools import partial

import pytest

from tests.support.raw import TEXT, frame
from tests.support.serving import Recorder, serving
from tests.support.waiting import wait_until
from ws4py.messaging import BinaryMessage


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


@pytest.mark.parametrize("kind", ["tcp", "ssl", "pyopenssl"])
def test_reaches_all(served, kind):
    peers = [served.connect(kind=kind)[1] for _ in range(10)]
    served.manager.broadcast("text")
    served.manager.broadcast(b"\xff\xfe", binary=True)
    served.manager.broadcast(BinaryMessage(b"message"))
    for peer in peers:
        assert [(f.opcode, f.payload) for f in (peer.read_frame() for _ in range(3))] == [
            (1, b"text"),
            (2, b"\xff\xfe"),
            (2, b"message"),
        ]


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
@pytest.mark.parametrize("where", ["class", "instance"])
def test_goes_through_a_programs_own_door_out(served, kind, where):
    def watch(websocket, b):
        websocket.note("sent", b)
        Recorder._write(websocket, b)

    cls = type("Watched", (Recorder,), {"_write": watch} if where == "class" else {})
    websocket, peer = served.make(cls, kind)
    if where == "instance":
        websocket._write = partial(watch, websocket)
    served.manager.add(websocket)
    served.manager.broadcast("text")
    assert peer.read_frame().payload == b"text"
    assert ("sent", b"\x81\x04text") in websocket.events


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_is_not_held_up_by_a_reader_that_stopped(served, kind):
    class Patient(Recorder):
        unsent_hard_limit = None

    stopped, _ = served.connect(Patient, kind)
    readers = [served.connect(Patient, kind)[1] for _ in range(5)]
    received = {peer: [] for peer in readers}

    def read(peer):
        for _ in range(1000):
            received[peer].append(peer.read_frame().payload)

    threads = [threading.Thread(target=read, args=[peer]) for peer in readers]
    for thread in threads:
        thread.start()
    messages = [b"%04d" % number + b"x" * 8192 for number in range(1000)]
    for each in messages:
        served.manager.broadcast(each, binary=True)
    # Every call is over, and the one that does not read still has most before it.
    assert stopped._outlet.unsent > 1_000_000
    for thread in threads:
        thread.join()
    assert all(received[peer] == messages for peer in readers)
    assert stopped._outlet.unsent > 1_000_000


def test_does_not_reach_who_is_being_opened(served):
    class Greeting(Recorder):
        def opened(self):
            super().opened()
            served.manager.broadcast("somebody came")

    _, first = served.connect(Greeting)
    _, second = served.connect(Greeting)
    assert first.read_frame().payload == b"somebody came"
    served.manager.broadcast("last")
    assert first.read_frame().payload == b"last"
    assert second.read_frame().payload == b"last"


def test_in_closed_reaches_the_others_only(served):
    class Parting(Recorder):
        def closed(self, code, reason=None):
            super().closed(code, reason)
            served.manager.broadcast("somebody left")

    leaving, peer = served.connect(Parting)
    _, other = served.connect()
    peer.say_goodbye()
    peer.sock.close()
    assert other.read_frame().payload == b"somebody left"
    leaving.wait_end()


def test_errors_of_one_are_nobody_elses(served, caplog):
    class Odd(Recorder):
        def send(self, **message):
            raise AssertionError("unreachable: its signature is another")

    class Failing(Recorder):
        def send(self, payload, binary=False):
            raise ValueError("mine")

    served.connect(Odd)
    served.connect(Failing)
    closing, _ = served.connect()
    closing.close()
    terminated, _ = served.connect()
    terminated.client_terminated = terminated.server_terminated = True
    _, peer = served.connect()
    served.manager.broadcast("x")
    assert peer.read_frame().payload == b"x"
    kinds = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert kinds == [TypeError, ValueError]
    terminated.client_terminated = terminated.server_terminated = False


def test_while_clients_leave(served):
    pairs = [served.connect() for _ in range(60)]
    leaving = threading.Thread(target=lambda: [peer.reset() for _, peer in pairs[:50]])
    leaving.start()
    for number in range(100):
        served.manager.broadcast(str(number))
    leaving.join()
    wait_until(lambda: len(served.manager) == 10)
    for _, peer in pairs[50:]:
        assert [peer.read_frame().payload for _ in range(100)] == [b"%d" % n for n in range(100)]


def test_by_a_subclass_that_holds_the_lock(served):
    """As programs do, while one of the websockets ends itself in a callback."""

    class Ending(Recorder):
        def received_message(self, message):
            self.terminate()

    ending, peer = served.connect(Ending)
    manager = served.manager
    with manager.lock:
        peer.send(frame(TEXT, b"end"))
        wait_until(lambda: ending._outlet is None or ending._outlet.retired)
        for websocket in manager.websockets.copy().values():
            try:
                websocket.send("x")
            except RuntimeError:
                assert websocket is ending
    ending.wait_end()
