"""run() and once() on a thread of one's own, plain and TLS."""

import contextlib
import socket
import threading

import pytest

from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo, Peer, Recorder
from tests.support.sockets import KINDS, TLS, pair
from tests.support.waiting import DEADLINE, wait_until
from ws4py.exc import ConnectionClosed

GONE = (1006, "Going away")


@contextlib.contextmanager
def running(kind="tcp", cls=Echo, **attributes):
    """A websocket whose run() has been called by a thread, its peer and the thread."""
    with pair(kind) as (sock, raw):
        websocket = cls(sock)
        for name, value in attributes.items():
            setattr(websocket, name, value)
        thread = threading.Thread(target=websocket.run, name="Own")
        thread.start()
        try:
            wait_until(lambda: websocket.events)
            yield websocket, Peer(raw), thread
        finally:
            raw.close()
            thread.join(DEADLINE)
            assert not thread.is_alive()
    assert len(websocket.ends) == 1
    assert websocket.events[-1][0] == "closed"
    assert websocket.threads == {"Own"}
    assert websocket.was_released() is True
    assert websocket.sock is websocket.stream is None


@pytest.mark.parametrize("kind", KINDS)
class TestKinds:
    def test_serves_and_is_closed_by_the_peer(self, kind):
        with running(kind) as (websocket, peer, thread):
            for payload in (b"one", b"x" * 300_000):
                peer.send(frame(TEXT, payload))
                assert peer.read_frame().payload == payload
            peer.send(frame(PING, b"p") + frame(PONG, b"q"))
            assert peer.read_frame()[:2] == (PONG, b"p")
            assert peer.say_goodbye(4000).close_code == 4000
            peer.sock.close()
            thread.join(DEADLINE)
        assert websocket.ends == [(4000, "")]
        assert ("ponged", b"q") in websocket.events

    def test_closes_itself(self, kind):
        with running(kind) as (websocket, peer, thread):
            websocket.close(4001, "enough")
            assert peer.answer_close().payload[2:] == b"enough"
            thread.join(DEADLINE)
        assert websocket.ends == [(4001, "")]

    def test_closes_and_the_peer_is_silent(self, kind):
        with running(kind, close_timeout=0.2) as (websocket, peer, thread):
            websocket.close()
            thread.join(DEADLINE)
            assert not thread.is_alive()
            assert peer.read_frame().opcode == CLOSE
            assert peer.at_end()
        assert websocket.ends == [GONE]

    def test_peer_closes_and_talks_on(self, kind):
        with running(kind, close_timeout=0.2) as (websocket, peer, thread):
            peer.send(close_frame(4000))
            with contextlib.suppress(OSError):
                while not websocket.ends:
                    peer.send(b"x" * 10_000)
            thread.join(DEADLINE)
        assert websocket.ends == [(4000, "")]

    def test_closed_in_a_callback_with_a_silent_peer(self, kind):
        class Closing(Recorder):
            def received_message(self, message):
                self.close(4000)

        with running(kind, Closing, close_timeout=0.2) as (websocket, peer, thread):
            peer.send(frame(TEXT, b"x"))
            thread.join(DEADLINE)
            assert not thread.is_alive()
            assert peer.read_frame().close_code == 4000
        assert websocket.ends == [GONE]

    @pytest.mark.parametrize("how", ["terminate", "close_connection"])
    @pytest.mark.parametrize("where", ["outside", "opened", "received_message", "closed"])
    def test_ends_at_once(self, kind, how, where):
        def act(self, *arguments):
            getattr(Recorder, where)(self, *arguments)
            getattr(self, how)()

        cls = Recorder if where == "outside" else type("Ending", (Recorder,), {where: act})
        with running(kind, cls) as (websocket, peer, thread):
            if where == "outside":
                getattr(websocket, how)()
            elif where == "received_message":
                peer.send(frame(TEXT, b"x"))
            elif where == "closed":
                peer.sock.close()
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert websocket.ends == [GONE]

    @pytest.mark.parametrize("how", ["terminate", "close_connection", "close"])
    def test_ends_although_a_writer_waits_for_the_peer(self, kind, how):
        def write():
            with contextlib.suppress(OSError, ConnectionClosed):
                while not websocket.ends:
                    websocket.send(b"x" * 1_000_000, binary=True)

        with running(kind, Recorder, close_timeout=0.2) as (websocket, peer, thread):
            writer = threading.Thread(target=write)
            writer.start()
            assert peer.read(2)
            wait_until(lambda: is_locked(websocket))
            getattr(websocket, how)()
            writer.join(DEADLINE)
            thread.join(DEADLINE)
            assert not writer.is_alive()
            assert not thread.is_alive()

    def test_peer_closes_although_a_writer_waits_for_it(self, kind):
        def write():
            with pytest.raises((OSError, ConnectionClosed)):
                websocket.send(b"x" * 50_000_000, binary=True)

        with running(kind, Recorder, close_timeout=0.2) as (websocket, peer, thread):
            writer = threading.Thread(target=write)
            writer.start()
            peer.read(2)
            peer.send(close_frame(4000))
            writer.join(DEADLINE)
            thread.join(DEADLINE)
        assert websocket.ends == [(4000, "")]

    def test_callbacks_never_run_two_at_once(self, kind):
        class Slow(Recorder):
            def received_message(self, message):
                begun.set()
                go_on.wait()
                self.note("done")

        begun, go_on = threading.Event(), threading.Event()
        with running(kind, Slow) as (websocket, peer, thread):
            peer.send(frame(TEXT, b"x"))
            begun.wait()
            websocket.terminate()
            assert websocket.ends == []
            go_on.set()
            thread.join(DEADLINE)
        assert websocket.events == [("opened",), ("done",), ("closed", *GONE)]

    def test_others_send_meanwhile(self, kind):
        with running(kind) as (websocket, peer, _):
            threads = [
                threading.Thread(
                    target=lambda n=n: [
                        websocket.send(bytes([n]) * 50_000, binary=True) for _ in range(20)
                    ]
                )
                for n in range(4)
            ]
            for each in threads:
                each.start()
            peer.send(frame(TEXT, b"echo") + frame(PING, b"p"))
            received = [peer.read_frame() for _ in range(82)]
            for each in threads:
                each.join()
            binary = [each.payload for each in received if each.opcode == BINARY]
            assert all(payload == payload[:1] * 50_000 for payload in binary)
            assert (TEXT, b"echo", True, 0) in received
            assert (PONG, b"p", True, 0) in received

    @pytest.mark.parametrize("where", ["opened", "received_message"])
    def test_callback_that_raises(self, kind, where, caplog):
        def fail(self, *arguments):
            getattr(Recorder, where)(self, *arguments)
            raise ValueError("mine")

        cls = type("Failing", (Recorder,), {where: fail})
        with running(kind, cls) as (websocket, peer, thread):
            peer.send(frame(TEXT, b"x"))
            assert peer.answer_close().close_code == 1011
            thread.join(DEADLINE)
        assert websocket.ends == [GONE]
        assert len([record for record in caplog.records if record.exc_info]) == 1

    def test_peer_that_is_gone(self, kind):
        with running(kind) as (websocket, peer, thread):
            peer.send(frame(PING, b"1") * 3)
            peer.sock.close()
            thread.join(DEADLINE)
        assert websocket.ends == [GONE]


def is_locked(websocket):
    locked = []

    def ask():
        locked.append(not websocket._lock.acquire(timeout=0.1))
        if not locked[0]:
            websocket._lock.release()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return locked[0]


def test_reset_under_a_reply(caplog):
    """The peer is reset when the ping's answer is written: no exception leaves run()."""
    with pair() as (sock, raw):
        websocket = Recorder(sock)
        peer = Peer(raw)
        peer.send(frame(PING, b"") * 3)
        peer.reset()
        websocket.run()
    assert websocket.ends == [GONE]
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("kind", KINDS)
def test_heartbeat(kind):
    with running(kind, Recorder, heartbeat_freq=0.05) as (websocket, peer, thread):
        assert [peer.read_frame()[:2] for _ in range(3)] == [(PONG, b"beep")] * 3
        websocket.close(4000)
        while peer.read_frame().opcode != CLOSE:
            pass
        # Several periods long nothing happens: the peer has its time to answer.
        peer.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.sock.recv(1)
        peer.sock.settimeout(DEADLINE)
        peer.send(close_frame(4000))
        peer.sock.close()
        thread.join(DEADLINE)
    assert websocket.ends == [(4000, "")]


@pytest.mark.parametrize("kind", KINDS)
def test_sock_timeout(kind, caplog):
    caplog.set_level("INFO", logger="ws4py")
    with running(kind, Recorder, sock_timeout=0.1) as (websocket, _, thread):
        thread.join(DEADLINE)
    assert websocket.ends == [GONE]
    assert "timed out" in caplog.text


@pytest.mark.parametrize("kind", TLS)
def test_sent_before_run(kind):
    """What comes before must not make reading wait inside of TLS."""
    with pair(kind) as (sock, raw):
        websocket, peer = Echo(sock), Peer(raw)
        websocket.send("first")
        sock.setblocking(True)
        thread = threading.Thread(target=websocket.run)
        thread.start()
        wait_until(lambda: websocket.events)
        sending = threading.Thread(target=websocket.send, args=["second"])
        sending.start()
        sending.join(DEADLINE)
        assert not sending.is_alive()
        assert [peer.read_frame().payload for _ in range(2)] == [b"first", b"second"]
        websocket.terminate()
        thread.join(DEADLINE)


@pytest.mark.parametrize("kind", TLS)
def test_many_messages_in_one_record(kind):
    with running(kind, Recorder) as (websocket, peer, _):
        data = b"".join(frame(TEXT, b"%d" % number) for number in range(1000))
        peer.send(data)
        wait_until(lambda: len(websocket.messages) == 1000)


@pytest.mark.parametrize("kind", KINDS)
def test_once_by_hand(kind):
    """A loop of the program's own: nobody but it reads, so it completes the end itself."""
    with pair(kind) as (sock, raw):
        websocket, peer = Echo(sock), Peer(raw)
        peer.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        while len(websocket.messages) < 2:
            assert websocket.once()
        peer.send(close_frame(4000))
        assert websocket.once() is False
        assert websocket.terminated
        assert websocket.once() is False
        websocket.terminate()
        websocket.terminate()
        assert websocket.ends == [(4000, "")]
        assert [peer.read_frame().payload for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize("kind", TLS)
def test_pending_by_hand(kind):
    with pair(kind) as (sock, raw):
        websocket, peer = Recorder(sock), Peer(raw)
        assert websocket._is_secure
        assert websocket._get_from_pending() == b""
        peer.send(b"abcdef")
        assert sock.recv(2) == b"ab"
        assert websocket._get_from_pending() == b"cdef"
        websocket.terminate()


def test_socket_closed_by_another_thread_is_no_news(caplog):
    with running("ssl", Recorder) as (websocket, _, thread):
        websocket.close_connection()
        thread.join(DEADLINE)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_run_on_a_closed_socket():
    with pair() as (sock, _):
        websocket = Recorder(sock)
        sock.close()
        with pytest.raises(OSError, match="descriptor"):
            websocket.run()
    assert websocket.events == []


def test_own_terminate_that_raises():
    class Failing(Recorder):
        def terminate(self):
            super().terminate()
            raise KeyError("mine")

    with pair() as (sock, raw):
        websocket = Failing(sock)
        raw.close()
        with pytest.raises(KeyError):
            websocket.run()
    assert websocket.ends == [GONE]


def test_closed_may_leave_by_exception(caplog):
    class Failing(Recorder):
        def closed(self, code, reason=None):
            super().closed(code, reason)
            raise SystemExit(1)

    with running("tcp", Failing) as (_, peer, _):
        peer.sock.close()
    assert len([record for record in caplog.records if record.exc_info]) == 1


def test_message_behind_our_close_frame_is_dropped():
    with running("tcp", Recorder) as (websocket, peer, thread):
        websocket.close(4000)
        peer.send(frame(TEXT, b"late") + frame(PING, b"late"))
        peer.answer_close()
        thread.join(DEADLINE)
    assert websocket.messages == []


def test_reading_goes_on_behind_a_half_closed_socket():
    """The peer has said all and still listens."""
    with running("tcp") as (websocket, peer, thread):
        peer.send(frame(TEXT, b"last"))
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.read_frame().payload == b"last"
        assert peer.at_end()
        thread.join(DEADLINE)
    assert websocket.ends == [GONE]
