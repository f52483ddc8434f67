"""heartbeat_freq under a manager: pings, and the end of who does not answer."""

import socket
import threading

import pytest

from tests.support.raw import BINARY, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Recorder, Unwaiting, serving
from tests.support.waiting import wait_until

GONE = (1006, "Going away")


class Patient(Recorder):
    """Pings, and does not mind who answers late."""

    ping_interval = 0.05
    ping_timeout = None


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_pings_and_answers(served, kind):
    websocket, peer = served.connect(kind=kind, heartbeat_freq=0.1)
    for number in range(4):
        assert peer.read_frame().opcode == PING
        peer.send(frame(PONG, b"%d" % number))
    wait_until(lambda: ("ponged", b"3") in websocket.events)
    assert websocket.latency is None
    assert websocket.ends == []


def test_pongs_that_answer_a_heartbeat_are_measured_and_not_the_programs_business(served):
    websocket, peer = served.connect(heartbeat_freq=0.1)
    for _ in range(3):
        peer.send(frame(PONG, peer.read_frame().payload))
    wait_until(lambda: websocket.latency is not None)
    assert 0 < websocket.latency < 60
    assert not [event for event in websocket.events if event[0] == "ponged"]
    peer.finish()
    websocket.wait_end()
    assert websocket.latency is None


@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_a_pong_that_comes_after_the_next_ping_is_measured_too(served, kind):
    websocket, peer = served.connect(Patient, kind)
    pings = [peer.read_frame()]

    def is_measured():
        pings.append(peer.read_frame())
        peer.send(frame(PONG, pings[-2].payload))
        return websocket.latency is not None

    wait_until(is_measured)
    peer.send(frame(PONG, b"1"))
    wait_until(lambda: ("ponged", b"1") in websocket.events)
    # From its own ping to its pong, between which there was another ping.
    latency = websocket.latency
    assert latency >= Patient.ping_interval / 2
    # Once is enough, and who has answered a ping need not answer those before it.
    peer.send(b"".join(frame(PONG, ping.payload) for ping in pings[:-1]) + frame(PONG, b"2"))
    wait_until(lambda: ("ponged", b"2") in websocket.events)
    assert websocket.events == [("opened",), ("ponged", b"1"), ("ponged", b"2")]
    assert websocket.latency == latency


def test_a_pong_that_comes_too_late_to_be_measured_is_still_ours(served):
    websocket, peer = served.connect(Patient)
    pings = [peer.read_frame() for _ in range(10)]
    assert len({ping.payload for ping in pings}) == 10
    peer.send(frame(PONG, pings[0].payload) + frame(PONG, b"") + frame(PONG, b"mine"))
    wait_until(lambda: ("ponged", b"mine") in websocket.events)
    assert websocket.events == [("opened",), ("ponged", b""), ("ponged", b"mine")]
    assert websocket.latency is None


@pytest.mark.parametrize("where", ["class", "manager"])
def test_interval_and_timeout(where):
    settings = {"ping_interval": 0.1, "ping_timeout": 0.2}
    kind = Recorder if where == "manager" else type("Pinging", (Recorder,), settings)
    with serving(**settings if where == "manager" else {}) as served:
        silent, _ = served.connect(kind)
        without, _ = served.connect(kind, heartbeat_freq=0)
        answering, peer = served.connect(kind)
        while not silent.ends:
            peer.send(frame(PONG, peer.read_frame().payload))
        assert silent.ends == [GONE]
        assert answering.ends == without.ends == []


def test_pings_without_a_timeout(served):
    kind = type("Pinging", (Recorder,), {"ping_interval": 0.1, "ping_timeout": None})
    websocket, peer = served.connect(kind)
    pings = [peer.read_frame() for _ in range(4)]
    assert {ping.opcode for ping in pings} == {PING}
    assert websocket.ends == []


def test_silent_peer(served):
    websocket, peer = served.connect(heartbeat_freq=0.1)
    assert websocket.wait_end() == GONE
    assert websocket.was_released()
    assert peer.read_frame().opcode == PING
    assert peer.at_end()


@pytest.mark.parametrize("freq", [None, 0])
def test_none(served, freq):
    """Another one's heartbeat is the clock by which nothing was sent to this one."""
    websocket, peer = served.connect(heartbeat_freq=freq)
    other, _ = served.connect(heartbeat_freq=0.1)
    other.wait_end()
    peer.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.sock.recv(1)
    assert websocket.ends == []


def test_peer_that_talks_but_does_not_answer_pings(served):
    websocket, peer = served.connect(heartbeat_freq=0.2)
    other, _ = served.connect(heartbeat_freq=0.5)
    while not other.ends:
        peer.send(frame(TEXT, b"x"))
        threading.Event().wait(0.02)
    assert websocket.ends == []


def test_peer_that_only_reads_slowly(served):
    """It takes long to get to the ping, and is alive all the time."""
    websocket, peer = served.connect(Unwaiting, heartbeat_freq=0.3)
    other, _ = served.connect(heartbeat_freq=0.7)
    while not other.ends:
        while websocket._outlet.unsent < 10_000_000:
            websocket.send(b"x" * 1_000_000, binary=True)
        peer.read(500_000)
        threading.Event().wait(0.02)
    assert websocket.ends == []
    websocket.terminate()


def test_peer_that_reads_too_slowly_for_the_poller_to_tell(served):
    """The kernel tells of room when there is much of it, and by then there is none again.

    It frees what was read in pieces of some 64 KiB, three of them in a second here.
    """

    class Hopeful(Unwaiting):
        write_timeout = 8

    websocket, peer = served.make(Hopeful, heartbeat_freq=1.0)
    websocket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    served.manager.add(websocket)
    other, _ = served.connect(heartbeat_freq=2.2)
    served.manager.broadcast(b"x" * 6_000_000, binary=True)
    while not other.ends:
        peer.sock.recv(4000)
        threading.Event().wait(0.02)
    assert websocket.ends == []
    websocket.terminate()


def test_peer_that_stopped_to_read_and_to_talk(served):
    websocket, _ = served.connect(heartbeat_freq=0.1)
    websocket.send(b"x" * 10_000_000, binary=True)
    assert websocket.wait_end() == GONE


def test_the_closing_handshake_has_its_own_time(served):
    websocket, peer = served.connect(heartbeat_freq=0.1)
    other, _ = served.connect(heartbeat_freq=0.3)
    websocket.close(4000)
    other.wait_end()
    peer.answer_close()
    assert websocket.wait_end() == (4000, "")


def test_no_ping_behind_the_peers_close_frame(served):
    websocket, peer = served.connect(heartbeat_freq=0.1)
    other, _ = served.connect(heartbeat_freq=0.3)
    peer.send(close_frame(4000))
    other.wait_end()
    frames = peer.finish()
    assert frames[-1].close_code == 4000
    peer.sock.close()
    assert websocket.wait_end() == (4000, "")


def test_set_in_opened_or_forced(served):
    class Forced(Recorder):
        def __init__(self, *arguments, **keywords):
            keywords["heartbeat_freq"] = 0.1
            super().__init__(*arguments, **keywords)

    class Late(Recorder):
        def opened(self):
            super().opened()
            self.heartbeat_freq = 0.1

    class Shadowed(Recorder):
        heartbeat_freq = 0.1

    shadowed, _ = served.connect(Shadowed)
    assert shadowed.heartbeat_freq is None
    for cls in (Forced, Late):
        websocket, peer = served.connect(cls)
        assert peer.read_frame().opcode == PING
        websocket.wait_end()
    assert shadowed.ends == []


def test_own_ping_that_ends_it(served):
    class Ending(Recorder):
        def ping(self, message):
            self.terminate()

    websocket, _ = served.connect(Ending, heartbeat_freq=0.05)
    assert websocket.wait_end() == GONE


def test_own_ping_that_raises(served, caplog):
    class Failing(Recorder):
        def ping(self, message):
            self.note("asked")
            raise ValueError("mine")

    websocket, peer = served.connect(Failing, heartbeat_freq=0.1)
    wait_until(lambda: ("asked",) in websocket.events)
    peer.send(frame(BINARY, b""))
    websocket.wait_end()
    assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {ValueError}
