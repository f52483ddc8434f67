"""One connection in a loop, where it needs a hand at the loop or at the socket."""

import contextlib
import threading

import pytest

from tests.support.raw import BINARY, PING, TEXT, close_frame, frame
from tests.support.serving import Echo, Peer, Recorder, is_closed
from tests.support.sockets import connected
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.channel import Channel
from ws4py._engine.loop import Loop
from ws4py._engine.pollers import EPollPoller
from ws4py.exc import ConnectionClosed

GONE = (1006, "Going away")


class Bench:
    """A loop that runs when the test says so, and one channel."""

    def __init__(self, cls=Recorder, kind="tcp") -> None:
        self.left = []
        self.loop = Loop(EPollPoller, self.left.append)
        sock, raw = connected(kind)
        self.websocket, self.peer = cls(sock), Peer(raw)
        self.websocket.close_timeout = 0.2
        self.channel = Channel(self.loop, self.websocket)
        self.thread = threading.Thread(target=self.loop.run, name="Loop")

    def run(self):
        self.thread.start()
        self.loop.adopt(self.channel)
        wait_until(lambda: self.channel._registered or self.channel.retired)

    def on_loop(self, call):
        """Make a call on the loop's thread and wait for it."""
        done = threading.Event()
        self.loop.post(lambda: (call(), done.set()))
        assert done.wait(DEADLINE)


@contextlib.contextmanager
def bench(cls=Recorder, kind="tcp", run=True):
    bench = Bench(cls, kind)
    if run:
        bench.run()
    try:
        yield bench
    finally:
        bench.peer.sock.close()
        bench.loop.stop(0)
        if bench.thread.ident is None:
            bench.thread.start()
        bench.thread.join(DEADLINE)
        bench.websocket.terminate()
        assert not bench.thread.is_alive()
        assert len(bench.websocket.ends) == 1


def test_is_the_websockets_outlet():
    with bench() as it:
        assert it.websocket._outlet is it.channel
        assert it.channel.fd == it.websocket.sock.fileno()
        assert it.channel.has_descriptor()
        assert it.websocket.sock.gettimeout() == 0
        assert not it.channel.retired
        assert not it.channel.broken


def test_a_closed_socket_leaves_the_websocket_as_it_was():
    sock, raw = connected("tcp")
    sock.close()
    websocket = Recorder(sock)
    with raw, pytest.raises(OSError, match="descriptor"):
        Channel(Loop(EPollPoller, list), websocket)
    assert websocket._outlet is None


def test_written_before_the_loop_runs():
    with bench(run=False) as it:
        it.websocket.send("at once")
        assert it.peer.read_frame().payload == b"at once"
        it.websocket.send(b"x" * 8_000_000, binary=True)
        it.run()
        assert len(it.peer.read_frame().payload) == 8_000_000


def test_broken_before_the_loop_runs():
    with bench(run=False) as it:
        it.peer.reset()
        with contextlib.suppress(ConnectionClosed):
            while not it.channel.broken:
                it.websocket.send("x")
        assert it.channel.broken
        it.run()
        assert it.websocket.wait_end() == GONE


class TestHandingOver:
    """Until opened() has returned, the connection does not end."""

    @pytest.mark.parametrize("how", ["end", "expire", "terminate", "close_connection"])
    @pytest.mark.parametrize("on_loop", [True, False])
    def test_the_end_waits(self, how, on_loop):
        with bench(run=False) as it:
            it.thread.start()
            it.channel.handed_over = False
            call = getattr(it.channel if how in ("end", "expire") else it.websocket, how)
            if on_loop or how in ("end", "expire"):
                it.on_loop(call)
            else:
                call()
            it.on_loop(list)
            assert it.websocket.ends == []
            assert not is_closed(it.channel.fd)
            it.channel.handed_over = True
            it.loop.adopt(it.channel)
            assert it.websocket.wait_end() == GONE
            wait_until(lambda: is_closed(it.channel.fd))

    def test_the_deadline_waits_as_well(self):
        with bench(run=False) as it:
            it.thread.start()
            it.channel.handed_over = False
            it.websocket.close_timeout = 0
            it.websocket.close()
            wait_until(lambda: it.channel._end_wanted)
            assert it.websocket.ends == []
            it.channel.handed_over = True
            it.loop.adopt(it.channel)
            assert it.websocket.wait_end() == GONE


class TestEnding:
    def test_end(self):
        with bench() as it:
            it.on_loop(it.channel.end)
            assert it.websocket.ends == [GONE]
            assert it.websocket.released
            assert it.left == [it.channel]
            it.on_loop(it.channel.end)
            it.on_loop(it.channel.expire)
            assert it.left == [it.channel]
            with pytest.raises(ConnectionClosed):
                it.channel.write(b"x")

    def test_expire_resets(self):
        with bench() as it:
            it.on_loop(it.channel.expire)
            with pytest.raises(ConnectionResetError):
                it.peer.sock.recv(1)

    def test_another_thread_finds_it_ending(self):
        """closed() is the loop's part, also when others call while it runs."""

        class Slow(Recorder):
            def closed(self, code, reason=None):
                begun.set()
                go_on.wait()
                super().closed(code, reason)

        begun, go_on = threading.Event(), threading.Event()
        with bench(Slow) as it:
            it.loop.post(it.channel.end)
            begun.wait()
            it.websocket.terminate()
            assert it.channel.retire() is False
            it.websocket.close()
            go_on.set()
            assert it.websocket.wait_end() == GONE
            assert it.websocket.threads == {"Loop"}

    def test_close_connection_while_closed_runs(self):
        class Slow(Recorder):
            def closed(self, code, reason=None):
                begun.set()
                go_on.wait()
                super().closed(code, reason)

        begun, go_on = threading.Event(), threading.Event()
        with bench(Slow) as it:
            it.loop.post(it.channel.end)
            begun.wait()
            it.websocket.close_connection()
            assert is_closed(it.channel.fd)
            go_on.set()
            assert it.websocket.wait_end() == GONE

    def test_the_loop_has_gone(self):
        with bench(run=False) as it:
            it.thread.start()
            it.loop.stop(0)
            it.thread.join(DEADLINE)
            it.websocket.send("late")
            it.channel.say_goodbye(1001, "bye")
            assert it.peer.read_frame().payload == b"late"
            assert it.peer.read_frame().close_code == 1001
            it.websocket.terminate()
            assert it.websocket.ends == [GONE]
            assert is_closed(it.channel.fd)

    def test_close_connection_when_the_loop_has_gone(self):
        with bench(run=False) as it:
            it.thread.start()
            it.loop.stop(0)
            it.thread.join(DEADLINE)
            it.websocket.close_connection()
            assert is_closed(it.channel.fd)
            it.websocket.terminate()

    @pytest.mark.parametrize("kind", ["tcp", "ssl"])
    def test_what_the_peer_sends_behind_the_end_is_thrown_away(self, kind):
        with bench(kind=kind) as it:
            it.websocket.close_timeout = DEADLINE
            it.peer.send(close_frame(4000))
            it.peer.read_frame()
            for _ in range(100):
                it.peer.send(frame(BINARY, b"x" * 65536))
            it.peer.sock.close()
            assert it.websocket.wait_end() == (4000, "")

    def test_throwing_away_leaves_the_others_their_turn(self):
        with bench(kind="ssl") as it:
            it.websocket.close_timeout = DEADLINE
            it.peer.send(close_frame(4000))
            wait_until(lambda: it.channel._draining)
            received, seen = iter([b"x"] * 100 + [b""]), []
            it.channel.transport.recv = lambda _: next(received)
            it.on_loop(lambda: (it.channel.on_ready(1), seen.append(it.channel._unread)))
            assert seen == [True]
            assert it.websocket.wait_end() == (4000, "")

    def test_reset_behind_the_closing_handshake(self):
        with bench() as it:
            it.websocket.close_timeout = DEADLINE
            it.peer.send(close_frame(4000))
            it.peer.read_frame()
            it.peer.reset()
            assert it.websocket.wait_end() == (4000, "")

    def test_broken_behind_our_close_frame(self):
        """Nothing more is read where the closing handshake is over."""
        with bench() as it:
            it.peer.send(close_frame(4000))
            wait_until(lambda: it.channel._draining)
            it.on_loop(lambda: (setattr(it.channel, "broken", True), it.channel._update()))
            assert it.websocket.wait_end() == (4000, "")


class TestLettingGo:
    def test_from_another_thread(self):
        with bench(Echo) as it:
            it.channel.let_go()
            wait_until(lambda: it.left)
            assert it.websocket._outlet is None
            it.peer.send(frame(TEXT, b"x"))
            it.on_loop(list)
            it.channel.on_ready(1)
            it.channel._update()
            assert it.websocket.messages == []
            assert it.websocket.once()
            assert it.peer.read_frame().payload == b"x"
            it.channel.let_go()

    def test_terminate_that_found_the_loop_in_charge(self):
        with bench() as it:
            it.channel.let_go()
            assert it.channel.retire() is False
            assert it.websocket.wait_end() == GONE


class TestTurns:
    def test_a_peer_that_never_stops_leaves_the_others_their_turn(self):
        """TLS is read many times in a turn, and not for ever."""
        with bench(kind="ssl") as it:
            stop = threading.Event()

            def flood():
                with contextlib.suppress(OSError):
                    while not stop.is_set():
                        it.peer.send(frame(BINARY, b"x" * 16_000))

            flooding = threading.Thread(target=flood)
            flooding.start()
            for _ in range(20):
                it.on_loop(list)
            stop.set()
            it.websocket.terminate()
            flooding.join(DEADLINE)
            it.websocket.wait_end()

    def test_tls_that_wants_to_write(self):
        """Nothing else is waited for, and reading goes on when that has been possible."""
        with bench(Echo, "ssl") as it:
            original = it.channel.transport.recv
            wanted = []

            def recv(size):
                if not wanted:
                    wanted.append(True)
                    it.channel.transport.wants_write = True
                    return None
                return original(size)

            it.channel.transport.recv = recv
            it.peer.send(frame(TEXT, b"x"))
            assert it.peer.read_frame().payload == b"x"
            assert wanted

    def test_not_read_while_much_is_unsent(self):
        with bench(kind="ssl") as it:
            it.websocket.send(b"x" * 9_000_000, binary=True)
            it.peer.send(frame(PING, b"p"))
            it.on_loop(list)
            assert it.channel._interest == 2
            assert len(it.peer.read_frame().payload) == 9_000_000
            assert it.peer.read_frame().payload == b"p"
            wait_until(lambda: it.channel._interest == 1)

    def test_goodbye_arms_the_deadline_once(self):
        with bench() as it:
            it.websocket.close()
            it.on_loop(list)
            deadline = it.channel._deadline
            it.on_loop(lambda: it.channel.say_goodbye(1001, "bye"))
            assert it.channel._deadline is deadline
            assert it.websocket.wait_end() == GONE
