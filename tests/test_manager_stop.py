"""Stopping: 1001 to everybody, in bounded time, nothing left, and a start again."""

import signal
import subprocess
import sys
import threading

import pytest

import ws4py
from tests.support.raw import BINARY, CLOSE, TEXT, close_frame, frame
from tests.support.serving import Echo, Peer, Recorder, is_closed, serving
from tests.support.sockets import KINDS, connected, tcp_pair
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.pollers import EPollPoller, SelectPoller
from ws4py.manager import WebSocketManager
from ws4py.websocket import WebSocket


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_is_told(served, kind):
    pairs = [served.connect(kind=kind) for _ in range(20)]
    served.manager.stop()
    for _, peer in pairs:
        received = peer.answer_close()
        assert received.close_code == 1001
        assert received.payload[2:] == b"Server is shutting down"
    served.manager.join(DEADLINE)
    assert not served.manager.is_alive()
    assert not served.manager.running
    assert {websocket.ends[0] for websocket, _ in pairs} == {(1001, "")}
    assert all(websocket.released for websocket, _ in pairs)


def test_peers_that_never_answer_hold_it_up_for_stop_timeout_only(served):
    served.manager.stop_timeout = 0.3
    fds = []
    for number in range(30):
        websocket, peer = served.connect(kind=KINDS[number % 4])
        fds.append(websocket.sock.fileno())
        if number % 3 == 0:
            # This one does not even read.
            websocket.send(b"x" * 5_000_000, binary=True)
        elif number % 3 == 1:
            peer.send(frame(BINARY, b"x" * 1000)[:500])
    served.manager.stop()
    served.manager.join(DEADLINE)
    assert not served.manager.is_alive()
    assert all(is_closed(fd) for fd in fds)
    assert [ws.ends for ws in served.websockets] == [[(1006, "Going away")]] * 30


def test_two_hundred_connections(served):
    pairs = [served.connect(Echo) for _ in range(200)]
    assert len(served.manager) == 200
    for number, (_, peer) in enumerate(pairs):
        peer.send(frame(TEXT, b"%d" % number))
    for number, (_, peer) in enumerate(pairs):
        assert peer.read_frame().payload == b"%d" % number
    assert sum(thread.name == "WebSocketManager" for thread in threading.enumerate()) == 1
    served.manager.stop()
    for _, peer in pairs:
        assert peer.answer_close().close_code == 1001
    served.manager.join(DEADLINE)


@pytest.mark.parametrize("poller", [None, EPollPoller, SelectPoller])
def test_start_again(poller):
    manager = WebSocketManager(poller and poller())
    for _ in range(3):
        sock, raw = connected("tcp")
        websocket, peer = Echo(sock), Peer(raw)
        manager.start()
        assert manager.running
        manager.add(websocket)
        peer.send(frame(TEXT, b"hi"))
        assert peer.read_frame().payload == b"hi"
        manager.stop()
        assert not manager.running
        peer.answer_close()
        manager.join(DEADLINE)
        assert not manager.is_alive()
        assert websocket.ends == [(1001, "")]


def test_started_twice(served):
    with pytest.raises(RuntimeError, match="started once"):
        served.manager.start()
    assert served.manager.running
    _, peer = served.connect(Echo)
    peer.send(frame(TEXT, b"hi"))
    assert peer.read_frame().payload == b"hi"


def test_start_that_fails_leaves_it_as_it_was(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    manager = WebSocketManager()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            manager.start()
    assert not manager.running
    manager.stop()


def test_stop_and_join_before_the_start():
    manager = WebSocketManager()
    manager.join()
    manager.stop()
    manager.join()
    manager.start()
    sock, raw = tcp_pair()
    websocket, peer = Echo(sock), Peer(raw)
    manager.add(websocket)
    peer.send(frame(TEXT, b"hi"))
    assert peer.read_frame().payload == b"hi"
    manager.stop()
    peer.answer_close()
    manager.join(DEADLINE)


def test_stop_without_a_start_ends_what_was_added():
    with serving(start=False) as served:
        served.manager.stop_timeout = 0.2
        websocket, _ = served.connect()
        served.manager.stop()
        assert websocket.ends == [(1006, "Going away")]
        served.manager.stop()
        served.manager.start()
        assert served.manager.running


def test_added_before_the_start():
    with serving(start=False) as served:
        websocket, peer = served.connect(Echo)
        assert websocket.events == [("opened",)]
        assert list(served.manager) == [websocket]
        peer.send(frame(TEXT, b"hi"))
        served.manager.start()
        assert peer.read_frame().payload == b"hi"


def test_run_on_a_thread_of_ones_own():
    with serving(start=False) as served:
        thread = threading.Thread(target=served.manager.run)
        thread.start()
        _, peer = served.connect(Echo)
        peer.send(frame(TEXT, b"hi"))
        assert peer.read_frame().payload == b"hi"
        served.manager.stop()
        peer.answer_close()
        thread.join(DEADLINE)
        assert not thread.is_alive()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask", [False, True])
def test_added_after_stop(served, kind, mask):
    served.manager.stop()
    served.manager.join(DEADLINE)
    websocket, peer = served.make(kind=kind)
    websocket.stream.always_mask = mask
    served.manager.add(websocket)
    if mask:
        assert peer.sock.recv(100)[:2] == bytes((0x80 | CLOSE, 0x80 | 25))
    else:
        assert peer.read_frame().close_code == 1001
    assert peer.at_end()
    assert websocket.events == []
    assert websocket.sock is None
    assert len(served.manager) == 0


def test_added_after_stop_and_gone(served):
    served.manager.stop()
    websocket, peer = served.make()
    peer.reset()
    served.manager.add(websocket)
    assert websocket.events == []


def test_refused_first(served):
    """As a server does that stops listening between the two."""
    _, peer = served.connect()
    served.manager.refuse()
    served.manager.refuse(1013, "not again")
    assert peer.answer_close().close_code == 1001
    late, late_peer = served.make()
    served.manager.add(late)
    assert late_peer.read_frame().close_code == 1013
    assert served.manager.running
    assert late.events == []


def test_stop_while_somebody_is_opened(served):
    """Whoever began before the stop is opened, so it is closed as well."""

    class Slow(Recorder):
        def opened(self):
            super().opened()
            begun.set()
            go_on.wait()

    begun, go_on = threading.Event(), threading.Event()
    websocket, peer = served.make(Slow)
    adding = threading.Thread(target=served.manager.add, args=[websocket])
    adding.start()
    begun.wait()
    served.manager.stop()
    served.manager.join(DEADLINE)
    go_on.set()
    adding.join()
    assert websocket.wait_end() == (1006, "Going away")
    assert peer.read_frame().close_code == 1001
    assert len(served.manager) == 0


@pytest.mark.parametrize("how", ["terminate", "close_connection"])
def test_end_in_opened_when_the_loop_has_gone_meanwhile(served, how):
    class Slow(Recorder):
        def opened(self):
            super().opened()
            begun.set()
            go_on.wait()
            getattr(self, how)()

    begun, go_on = threading.Event(), threading.Event()
    websocket, peer = served.make(Slow)
    adding = threading.Thread(target=served.manager.add, args=[websocket])
    adding.start()
    begun.wait()
    served.manager.stop()
    served.manager.join(DEADLINE)
    go_on.set()
    adding.join()
    assert websocket.wait_end() == (1006, "Going away")
    assert peer.at_end()


@pytest.mark.parametrize("where", ["opened", "received_message", "ponged", "closed"])
def test_stop_and_join_from_a_callback(served, where):
    def act(self, *arguments):
        getattr(Recorder, where)(self, *arguments)
        served.manager.stop()
        if threading.current_thread() is served.manager:
            served.manager.join()

    served.manager.stop_timeout = 0.2
    other, _ = served.connect()
    stopping = type("Stopping", (Recorder,), {where: act, "close_timeout": 0.2})
    websocket, peer = served.connect(stopping)
    if where != "opened":
        peer.send(frame(TEXT, b"1") + frame(10, b"2") + close_frame())
    served.manager.join(DEADLINE)
    assert not served.manager.is_alive()
    websocket.wait_end()
    assert other.ends == [(1006, "Going away")]


def test_stop_amid_everything(served):
    """Adding, sending, broadcasting and ending go on in other threads meanwhile."""
    served.manager.stop_timeout = 0.3
    over = threading.Event()
    made = []

    def come_and_go():
        while not over.is_set():
            websocket, peer = served.make(Echo)
            made.append(websocket)
            served.manager.add(websocket)
            with_peer(peer)

    def with_peer(peer):
        try:
            peer.send(frame(TEXT, b"hi"))
            peer.read_frame()
        finally:
            peer.sock.close()

    def shout():
        while not over.is_set():
            served.manager.broadcast("all")

    def close():
        while not over.is_set():
            for websocket in served.manager:
                websocket.close()

    threads = [threading.Thread(target=target) for target in (come_and_go, come_and_go, shout)]
    threads.append(threading.Thread(target=close))
    for thread in threads:
        thread.start()
    wait_until(lambda: len(made) > 20)
    served.manager.stop()
    served.manager.join(DEADLINE)
    assert not served.manager.is_alive()
    over.set()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()
    assert len(served.manager) == 0


def test_close_all_does_not_stop(served):
    websocket, peer = served.connect()
    served.manager.close_all(4000, "pause")
    received = peer.answer_close()
    assert (received.close_code, received.payload[2:]) == (4000, b"pause")
    websocket.wait_end()
    assert served.manager.running
    _, peer = served.connect(Echo)
    peer.send(frame(TEXT, b"hi"))
    assert peer.read_frame().payload == b"hi"


def test_own_close_that_does_nothing(served):
    class Deaf(Recorder):
        def close(self, code=1000, reason=""):
            self.note("asked", code, reason)

    served.manager.stop_timeout = 0.2
    websocket, _ = served.connect(Deaf)
    served.manager.stop()
    served.manager.join(DEADLINE)
    assert websocket.events[1] == ("asked", 1001, "Server is shutting down")
    assert websocket.ends == [(1006, "Going away")]


def test_no_poller_to_be_had(monkeypatch):
    """The thread cannot begin: nobody is left with an open connection and no service."""

    class Refusing(EPollPoller):
        def register(self, fd):
            raise OSError(24, "Too many open files")

    errors = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    with serving(Refusing(), start=False) as served:
        before, _ = served.connect()
        served.manager.start()
        served.manager.join(DEADLINE)
        assert not served.manager.running
        assert before.wait_end() == (1006, "Going away")
        late, peer = served.connect()
        assert peer.read_frame().close_code == 1001
        assert late.ends == [(1006, "Going away")]
    assert [error.exc_type for error in errors] == [OSError]


def test_no_poller_at_all(monkeypatch):
    def refuse():
        raise OSError(24, "Too many open files")

    errors = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    monkeypatch.setattr("ws4py.manager.default_poller", refuse)
    with serving(start=False) as served:
        before, _ = served.connect()
        served.manager.start()
        served.manager.join(DEADLINE)
        assert before.wait_end() == (1006, "Going away")
        late, peer = served.connect()
        assert peer.read_frame().close_code == 1001
        assert late.ends == [(1006, "Going away")]
    assert [error.exc_type for error in errors] == [OSError]


def test_manager_is_a_plain_thread_object():
    manager = WebSocketManager()
    assert isinstance(manager, threading.Thread)
    assert manager.name == "WebSocketManager"
    assert not manager.daemon
    assert not manager.running
    assert WebSocket.close_timeout == 10
    assert manager.stop_timeout == 3


_STOPPED_BY_SIGNAL = """
import signal, sys, threading
sys.path.insert(0, sys.argv[1])
from ws4py.manager import EPollPoller, SelectPoller, WebSocketManager
manager = WebSocketManager({poller})
signal.signal(signal.SIGTERM, lambda *_: manager.stop())
threading.Timer(0.2, lambda: print("ready", flush=True)).start()
manager.run()
"""


@pytest.mark.parametrize("poller", ["None", "EPollPoller()", "SelectPoller()"])
def test_by_a_signals_handler_on_its_own_thread(poller):
    """Python goes on with a system call that a signal has interrupted."""
    source = ws4py.__path__[0].removesuffix("ws4py")
    process = subprocess.Popen(
        [sys.executable, "-c", _STOPPED_BY_SIGNAL.format(poller=poller), source],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
