"""A manager's limits: who is asked before the 101, who comes all the same, and the counts."""

import contextlib
import random
import threading
from typing import NamedTuple

import pytest

from tests.support.raw import CLOSE, TEXT, Frame, close_frame, frame
from tests.support.serving import Echo, Peer, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine import door
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.websocket import WebSocket


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


def counts(manager):
    """What the manager has counted by address."""
    return dict(manager._door._from), len(manager._door._addresses), len(manager._door._arriving)


_NOBODY = ({}, 0, 0)


def assert_turned_away(websocket, peer, reason):
    assert peer.read_frame() == Frame(CLOSE, b"\x03\xf5" + reason)
    assert peer.at_end()
    assert websocket.events == []
    assert websocket.sock is None


class TestAsking:
    def test_the_settings_are_keywords_and_attributes(self):
        manager = WebSocketManager(max_connections=3, max_connections_per_address=2)
        assert (manager.max_connections, manager.max_connections_per_address) == (3, 2)
        manager = WebSocketManager()
        assert (manager.max_connections, manager.max_connections_per_address) == (None, None)

    def test_there_is_room_until_there_is_none(self, served):
        served.manager.max_connections = 2
        for _ in range(2):
            served.manager.admit("192.0.2.1")
            served.connect()
        with pytest.raises(HandshakeError, match="max_connections 2 is reached") as refused:
            served.manager.admit("192.0.2.1")
        assert refused.value.status == 503
        assert dict(refused.value.headers)["Retry-After"]
        served.peers[0].sock.close()
        wait_until(lambda: len(served.manager) == 1)
        served.manager.admit("192.0.2.1")

    def test_asking_takes_no_place(self, served):
        served.manager.max_connections = served.manager.max_connections_per_address = 1
        for _ in range(5):
            served.manager.admit("192.0.2.1")
        assert counts(served.manager) == _NOBODY

    def test_an_address_has_its_own_limit(self, served):
        served.manager.max_connections_per_address = 1
        served.connect()
        with pytest.raises(HandshakeError, match="per_address 1 is reached"):
            served.manager.admit("127.0.0.1")
        served.manager.admit("192.0.2.1")
        served.manager.admit(None)

    def test_without_a_setting_the_descriptors_are_the_limit(self, served, monkeypatch):
        monkeypatch.setattr(door.resource, "getrlimit", lambda _: (66, 66))
        served.connect()
        served.manager.admit()
        served.connect()
        with pytest.raises(HandshakeError, match="max_connections 2 is reached"):
            served.manager.admit()


class TestComingAllTheSame:
    def test_one_too_many_is_closed_with_1013(self, served, caplog):
        served.manager.max_connections = 1
        served.connect(Echo)
        for _ in range(3):
            assert_turned_away(*served.connect(Echo), b"max_connections 1 is reached")
        assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
            "Turned away a client: max_connections 1 is reached"
        ]
        served.peers[0].send(frame(TEXT, b"hi"))
        assert served.peers[0].read_frame() == Frame(TEXT, b"hi")

    def test_one_too_many_from_an_address(self, served):
        served.manager.max_connections_per_address = 2
        served.connect()
        served.connect()
        assert_turned_away(*served.connect(), b"max_connections_per_address 2 is reached")

    def test_the_requests_address_goes_before_the_sockets(self, served):
        served.manager.max_connections_per_address = 1
        for address in ("192.0.2.1", "192.0.2.2"):
            served.connect(environ={"REMOTE_ADDR": address})
        with pytest.raises(HandshakeError):
            served.manager.admit("192.0.2.2")
        served.manager.admit("127.0.0.1")

    def test_a_unix_socket_has_no_address(self, served):
        served.manager.max_connections_per_address = 1
        for _ in range(3):
            served.connect(kind="socketpair")
        assert len(served.manager) == 3
        assert counts(served.manager) == _NOBODY

    def test_who_is_gone_before_it_is_counted(self, served):
        served.manager.max_connections_per_address = 1
        websocket, peer = served.make(Recorder)
        peer.reset()
        wait_until(lambda: not _has_peer(websocket.sock))
        served.manager.add(websocket)
        websocket.wait_end()
        wait_until(lambda: counts(served.manager) == _NOBODY)

    def test_a_place_is_taken_while_opened_runs(self, served):
        served.manager.max_connections = 1
        inside, go_on = threading.Event(), threading.Event()

        class Slow(Recorder):
            def opened(self):
                super().opened()
                inside.set()
                assert go_on.wait(DEADLINE)

        websocket, _ = served.make(Slow)
        thread = threading.Thread(target=served.manager.add, args=(websocket,))
        thread.start()
        try:
            assert inside.wait(DEADLINE)
            with pytest.raises(HandshakeError):
                served.manager.admit()
            assert_turned_away(*served.connect(), b"max_connections 1 is reached")
        finally:
            go_on.set()
            thread.join(DEADLINE)
        assert len(served.manager) == 1

    def test_many_threads_at_once_are_never_too_many(self, served):
        served.manager.max_connections = 5
        made = [served.make() for _ in range(40)]
        start = threading.Barrier(8)

        def add(some):
            start.wait(DEADLINE)
            for websocket, _ in some:
                served.manager.add(websocket)

        threads = [threading.Thread(target=add, args=(made[n::8],)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert len(served.manager) == 5
        assert sum(("opened",) in websocket.events for websocket, _ in made) == 5


def _has_peer(sock) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


class Foreign:
    """No websocket of ours."""

    terminated = False

    def __init__(self, sock, fails) -> None:
        self.sock, self.fails, self.environ = sock, fails, None

    def opened(self):
        if self.fails:
            raise LookupError("a program's own mistake")

    def once(self):
        return bool(self.sock.recv(1))

    def close(self, code=1000, reason=""):
        self.terminate()

    def terminate(self):
        self.terminated = True
        self.sock.close()


class Closing(WebSocket):
    def opened(self):
        self.close()


class Broken(WebSocket):
    def opened(self):
        raise LookupError("a program's own mistake")


class Gone(WebSocket):
    def opened(self):
        self.close_connection()


class Connection(NamedTuple):
    """Who is here."""

    manager: WebSocketManager
    websocket: WebSocket
    peer: Peer

    def say_goodbye(self):
        self.peer.send(close_frame())

    def reset(self):
        self.peer.reset()

    def drop(self):
        self.peer.sock.close()

    def break_the_protocol(self):
        self.peer.send(b"\xff\xff")

    def close(self):
        self.websocket.close()

    def close_connection(self):
        self.websocket.close_connection()

    def remove(self):
        self.manager.remove(self.websocket)
        self.close_behind_our_back()

    def remove_and_add(self):
        self.manager.remove(self.websocket)
        self.drop()
        # It may be at its end on the manager's thread.
        with contextlib.suppress(AttributeError):
            self.manager.add(self.websocket)

    def close_behind_our_back(self):
        sock = self.websocket.sock
        if sock is not None:
            sock.close()


_ENDS = [
    Connection.say_goodbye,
    Connection.reset,
    Connection.drop,
    Connection.break_the_protocol,
    Connection.close,
    Connection.close_connection,
    Connection.remove,
    Connection.remove_and_add,
    Connection.close_behind_our_back,
]
_KINDS = [WebSocket, WebSocket, WebSocket, Closing, Broken, Gone]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_when_everybody_has_left_nobody_is_counted(seed, kind):
    chance = random.Random(seed)
    with serving(loops=chance.choice([1, 2])) as served:
        served.manager.max_connections_per_address = 12
        for _ in range(10 if kind == "ssl" else 40):
            here = [
                Connection(served.manager, websocket, peer)
                for websocket, peer in zip(served.websockets, served.peers, strict=True)
                if websocket in served.manager
            ]
            if here and chance.random() < 0.5:
                with contextlib.suppress(OSError, RuntimeError):
                    chance.choice(_ENDS)(chance.choice(here))
            else:
                served.connect(chance.choice(_KINDS), kind)
        for peer in served.peers:
            peer.sock.close()
        # Who closed a descriptor itself is found out by the next connection, or at the end.
        served.manager.stop()
        served.manager.join(DEADLINE)
        assert counts(served.manager) == _NOBODY


@pytest.mark.parametrize("fails", [False, True])
def test_a_foreign_object_is_counted_and_forgotten_as_well(served, fails):
    served.manager.max_connections_per_address = 1
    websocket, peer = served.make()
    sock, websocket.sock = websocket.sock, None
    foreign = Foreign(sock, fails)
    with pytest.raises(LookupError) if fails else contextlib.nullcontext():
        served.manager.add(foreign)
    if not fails:
        assert counts(served.manager) == ({"127.0.0.1": 1}, 1, 0)
        peer.sock.close()
    wait_until(lambda: counts(served.manager) == _NOBODY)


def test_who_is_taken_away_is_not_counted_from_that_moment():
    with serving(start=False) as served:
        served.manager.max_connections_per_address = 1
        websocket, _ = served.connect()
        # Nothing runs that could do it later.
        served.manager.remove(websocket)
        assert counts(served.manager) == _NOBODY
        served.manager.add(websocket)
        assert counts(served.manager) == ({"127.0.0.1": 1}, 1, 0)


def test_nothing_is_counted_by_address_unless_asked_for(served):
    served.connect()
    assert counts(served.manager) == _NOBODY
