"""gevent's hub as a loop: deadlines, calls from other threads, work that is ordered."""

import pathlib
import subprocess
import sys
import threading

import gevent
import pytest
from gevent.event import Event

from tests.support.hub_thread import HubThread
from tests.support.raw import PONG, TEXT, Frame, frame
from tests.support.serving import Peer
from tests.support.sockets import tcp_pair
from tests.support.waiting import DEADLINE, wait_until
from ws4py._transport import PlainTransport
from ws4py.exc import ConnectionClosed
from ws4py.server._gevent_pool import GEventWebSocketPool
from ws4py.server._hub import Hub, HubChannel, HubTimer
from ws4py.websocket import EchoWebSocket


@pytest.fixture
def hub():
    with HubThread() as running:
        yield running


@pytest.fixture
def loop(hub):
    made = Hub(lambda _channel: None)
    hub.call(made.bind)
    return made


class Connection:
    """A websocket in a pool, and its peer."""

    def __init__(self, hub, kind) -> None:
        sock, peer = tcp_pair()
        peer.settimeout(20)
        self.peer = Peer(peer)
        self.pool = GEventWebSocketPool()
        self.websocket = hub.call(lambda: kind(gevent.socket.socket(fileno=sock.detach())))
        hub.call(self.pool.serve, self.websocket)

    @property
    def channel(self):
        return self.websocket._outlet


@pytest.fixture
def connect(hub):
    made = []

    def make(kind=EchoWebSocket):
        made.append(Connection(hub, kind))
        return made[-1]

    yield make
    for each in made:
        each.peer.sock.close()
        wait_until(lambda each=each: not each.pool.websockets)


# -- Deadlines and calls ---------------------------------------------------------


def test_a_deadline_comes(hub):
    done = []
    hub.call(HubTimer, 0.01, lambda: done.append(True))
    wait_until(lambda: done)


def test_a_deadline_that_is_cancelled_does_not(hub):
    done = []

    def cancel():
        timer = HubTimer(0.01, lambda: done.append(True))
        timer.cancel()
        timer.cancel()
        gevent.sleep(0.05)

    hub.call(cancel)
    assert not done


def test_a_deadline_may_block_and_may_be_cancelled_when_it_is_over(hub):
    done, timers = [], []

    def wait():
        gevent.sleep(0.01)
        timers[0].cancel()
        done.append(True)

    hub.call(lambda: timers.append(HubTimer(0, wait)))
    wait_until(lambda: done)


def test_calls_from_any_thread(hub, loop):
    done = []
    assert not loop.is_current()
    assert hub.call(loop.is_current)
    assert loop.post(lambda: done.append(loop.is_current()))
    wait_until(lambda: done == [True])
    assert hub.call(loop.post, lambda: done.append("here"))
    wait_until(lambda: done == [True, "here"])


def test_a_call_that_fails_is_logged(loop, caplog):
    def fail():
        raise ZeroDivisionError

    loop.post(fail)
    wait_until(lambda: "ZeroDivisionError" in caplog.text)


# -- Work ------------------------------------------------------------------------


def test_work_is_done_one_after_the_other(hub, connect):
    connection, order, go_on = connect(), [], hub.call(Event)
    wait_until(lambda: connection.channel)

    def first():
        go_on.wait()
        order.append(1)

    hub.post(connection.channel.run, first)
    hub.post(connection.channel.run, lambda: order.append(2))
    hub.call(gevent.sleep, 0)
    assert order == []
    hub.call(go_on.set)
    wait_until(lambda: order == [1, 2])


def test_an_error_of_ours_costs_one_connection(hub, connect, caplog):
    connection, other = connect(), connect()
    wait_until(lambda: connection.channel)

    def fail():
        raise ZeroDivisionError

    hub.call(connection.channel.run, fail)
    assert connection.peer.finish() == []
    wait_until(lambda: not connection.pool.websockets)
    assert "internal error" in caplog.text
    other.peer.send(frame(TEXT, b"hi"))
    assert other.peer.read_frame() == Frame(TEXT, b"hi")


def test_more_to_read_is_read_once_for_many_requests(hub, connect, monkeypatch):
    connection = connect()
    wait_until(lambda: connection.channel)
    reads = []
    channel = connection.channel
    monkeypatch.setattr(HubChannel, "on_ready", lambda _self, events: reads.append(events))
    hub.call(lambda: [channel.serve_again() for _ in range(5)])
    wait_until(lambda: reads)
    hub.call(gevent.sleep, 0.01)
    assert len(reads) == 1
    monkeypatch.undo()


def test_a_broken_connection_is_read_to_its_end_first(hub, connect):
    messages = []

    class Noting(EchoWebSocket):
        def received_message(self, message):
            messages.append(message.data)

    connection = connect(Noting)
    wait_until(lambda: connection.channel)
    connection.peer.send(frame(TEXT, b"last words"))

    def lose():
        connection.channel.broken = True
        connection.channel._lose()

    hub.call(lose)
    wait_until(lambda: not connection.pool.websockets)
    assert messages == [b"last words"]


@pytest.mark.parametrize("error", [gevent.GreenletExit, gevent.Timeout])
@pytest.mark.usefixtures("hub")
def test_an_opened_that_is_cut_off_ends_the_connection(connect, error):
    class Cut(EchoWebSocket):
        def opened(self):
            raise error

    connection = connect(Cut)
    connection.peer.finish()
    wait_until(lambda: not connection.pool.websockets)


class WantingTransport(PlainTransport):
    """What TLS is when it has to write before it can read on."""

    __slots__ = ()

    wants_write = True


def test_writing_that_tls_wants_for_reading_is_ordered_work(hub, connect):
    connection = connect()
    wait_until(lambda: connection.channel)
    channel = connection.channel
    channel.transport.__class__ = WantingTransport
    connection.peer.send(frame(TEXT, b"hi"))
    hub.call(channel._writable)
    channel.transport.__class__ = PlainTransport
    assert connection.peer.read_frame() == Frame(TEXT, b"hi")


def test_nothing_is_done_for_who_has_ended(hub, connect):
    connection = connect()
    wait_until(lambda: connection.channel)
    channel = connection.channel
    hub.call(channel.end)
    hub.call(channel._serve_read)
    hub.call(channel._serve_write)
    hub.call(channel._arm_reader)
    hub.call(channel.wait_for, 3)
    hub.call(channel.end)
    hub.call(channel.expire)
    assert isinstance(channel, HubChannel)
    assert channel.retired


def test_killing_the_greenlet_that_is_at_work_ends_the_connection(connect):
    closed = []

    class Leaving(EchoWebSocket):
        def received_message(self, message):
            raise gevent.GreenletExit

        def closed(self, code, reason=None):
            closed.append(code)

    connection = connect(Leaving)
    connection.peer.send(frame(TEXT, b"hi"))
    assert connection.peer.finish() == []
    wait_until(lambda: not connection.pool.websockets)
    assert closed == [1006]


# -- Peers that do not keep up ---------------------------------------------------


class Slow(EchoWebSocket):
    """Its peer does not read; nobody waits for it, since nothing is patched here."""

    unsent_hard_limit = 300_000
    write_timeout = None
    close_timeout = 0.2


def flood(websocket, size=4_000_000):
    """Send until it is given up; returns whether it was."""
    try:
        for _ in range(20):
            websocket.send(b"x" * size, binary=True)
    except ConnectionClosed:
        return True
    return False


def test_a_greenlet_that_sends_too_much_gives_the_peer_up(hub, connect):
    connection = connect(Slow)
    wait_until(lambda: connection.channel and connection.channel._registered)
    assert hub.call(flood, connection.websocket)
    wait_until(lambda: not connection.pool.websockets)
    assert connection.pool._hub.ledger.total == 0


def test_so_does_another_thread(connect):
    connection = connect(Slow)
    wait_until(lambda: connection.channel and connection.channel._registered)
    found = []
    thread = threading.Thread(target=lambda: found.append(flood(connection.websocket)))
    thread.start()
    thread.join(DEADLINE)
    assert found == [True]
    wait_until(lambda: not connection.pool.websockets)


def test_its_own_callback_does_not(connect):
    class Answering(Slow):
        def received_message(self, message):
            for _ in range(4):
                self.send(b"x" * 4_000_000, binary=True)

    connection = connect(Answering)
    connection.peer.send(frame(TEXT, b"go"))
    assert [len(connection.peer.read_frame().payload) for _ in range(4)] == [4_000_000] * 4


def test_a_greenlet_does_so_while_its_callback_blocks(hub, connect):
    class Blocking(Slow):
        def received_message(self, message):
            running.append(self)
            gevent.sleep(0)
            go_on.wait()

    running, go_on = [], hub.call(Event)
    connection = connect(Blocking)
    connection.peer.send(frame(TEXT, b"go"))
    wait_until(lambda: running)
    assert hub.call(flood, connection.websocket)
    hub.call(go_on.set)
    wait_until(lambda: not connection.pool.websockets)


def test_who_reads_nothing_at_all_is_given_up(hub, connect, caplog):
    class Short(Slow):
        write_timeout = 0.2

    connection = connect(Short)
    wait_until(lambda: connection.channel and connection.channel._registered)
    hub.call(lambda: connection.websocket.send(b"x" * 20_000_000, binary=True))
    wait_until(lambda: not connection.pool.websockets)
    assert "nothing read within write_timeout 0.2 s" in caplog.text
    assert connection.pool._hub.ledger.total == 0


@pytest.mark.parametrize("part", ["a greenlet", "its own callback", "at the end"])
def test_with_monkey_patching_whoever_sends_waits(part):
    root = pathlib.Path(__file__).parents[2]
    program = [sys.executable, "-m", "tests.servers.programs.gevent_waits", part]
    done = subprocess.run(program, cwd=root, capture_output=True, timeout=60, check=False)
    assert done.stdout == b"done", done.stderr


def test_late_pongs_to_a_heartbeat_are_measured_and_not_the_programs_business(connect):
    seen = []

    class Pinging(EchoWebSocket):
        ping_interval, ping_timeout = 0.05, None

        def ponged(self, pong):
            seen.append(pong.data)

    connection = connect(Pinging)
    peer = connection.peer
    pings = [peer.read_frame()]

    def is_measured():
        pings.append(peer.read_frame())
        peer.send(frame(PONG, pings[-2].payload))
        return connection.websocket.latency is not None

    wait_until(is_measured)
    peer.send(frame(PONG, b"mine"))
    wait_until(lambda: seen)
    assert seen == [b"mine"]


def test_a_peer_is_not_silent_while_its_own_callback_keeps_us_from_reading(
    hub, connect, monkeypatch
):
    asked = []
    is_heard = HubChannel.is_heard
    monkeypatch.setattr(HubChannel, "is_heard", lambda self: asked.append(1) or is_heard(self))
    done = hub.call(Event)

    class Slow(EchoWebSocket):
        ping_interval = ping_timeout = 0.02

        def received_message(self, message):
            done.wait()
            super().received_message(message)

    connection = connect(Slow)
    connection.peer.send(frame(TEXT, b"hi"))
    # Pinged, and looked at for many times its ping_timeout, without a word read from it.
    wait_until(lambda: len(asked) > 100)
    channel = connection.channel
    assert not channel.broken
    assert not channel.retired
    connection.peer.reset()
    hub.call(done.set)
    wait_until(lambda: connection.websocket.stream is None)
