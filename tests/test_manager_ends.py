"""However a connection ends: closed() once, with text, and the descriptor is closed then."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest

from tests.support.raw import CLOSE, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Recorder, serving
from tests.support.sockets import KINDS, PLAIN, TLS
from tests.support.waiting import wait_until
from ws4py.exc import ConnectionClosed

GONE = (1006, "Going away")


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


@pytest.mark.parametrize("kind", KINDS)
class TestWhoever:
    def test_peer_closes(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        peer.send(close_frame(4001, "grüße".encode()))
        assert peer.read_frame().close_code == 4001
        assert peer.at_end()
        peer.sock.close()
        assert websocket.wait_end() == (4001, "grüße")
        assert (websocket.close_code, websocket.close_reason) == (4001, "grüße")
        assert websocket.was_released()

    def test_peer_closes_without_a_code(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        peer.send(frame(CLOSE))
        assert peer.read_frame() == (CLOSE, b"", True, 0)
        peer.sock.close()
        assert websocket.wait_end() == (1005, "")

    def test_we_close(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        websocket.close(4002, "enough")
        received = peer.answer_close()
        assert received.payload[2:] == b"enough"
        assert websocket.wait_end() == (4002, "")
        assert websocket.was_released()

    def test_we_close_and_the_peer_is_silent(self, served, kind):
        websocket, peer = served.make(kind=kind)
        websocket.close_timeout = 0.2
        served.manager.add(websocket)
        websocket.close(1000)
        assert websocket.wait_end() == GONE
        assert websocket.was_released()
        assert peer.read_frame().opcode == CLOSE
        assert peer.at_end()

    def test_we_close_and_the_peer_only_talks(self, served, kind):
        websocket, peer = served.make(kind=kind)
        websocket.close_timeout = 0.2
        served.manager.add(websocket)
        websocket.close(1000)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while not websocket.ends:
                peer.send(frame(TEXT, b"x" * 1000))
        assert websocket.wait_end() == GONE
        assert websocket.messages == []

    def test_peer_ends_without_a_close_frame(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        peer.send(frame(TEXT, b"last"))
        wait_until(lambda: websocket.messages)
        peer.sock.close()
        assert websocket.wait_end() == GONE
        assert websocket.was_released()

    def test_terminate_from_another_thread(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        websocket.terminate()
        assert websocket.wait_end() == GONE
        assert websocket.was_released()
        assert peer.at_end()
        assert websocket.threads == {"MainThread", "WebSocketManager"}

    def test_close_connection_from_another_thread(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        websocket.close_connection()
        assert websocket.sock is None
        assert websocket.connection is None
        assert websocket.wait_end() == GONE
        assert peer.at_end()

    def test_both_at_once(self, served, kind):
        websocket, peer = served.connect(kind=kind)
        threads = [
            threading.Thread(target=target)
            for target in (websocket.close, websocket.terminate, websocket.close_connection)
        ]
        for thread in threads:
            thread.start()
        peer.sock.close()
        for thread in threads:
            thread.join()
        assert websocket.wait_end() == GONE


@pytest.mark.parametrize("kind", PLAIN)
def test_close_frame_behind_a_ping_and_a_message_counts(served, kind):
    websocket, peer = served.connect(kind=kind)
    peer.send(frame(TEXT, b"a") + frame(PING, b"b") + close_frame(1001) + frame(TEXT, b"c"))
    assert peer.read_frame() == (PONG, b"b", True, 0)
    assert peer.read_frame().close_code == 1001
    peer.sock.close()
    assert websocket.wait_end() == (1001, "")
    assert websocket.messages == [b"a"]


@pytest.mark.parametrize("behind", [b"", frame(TEXT, b"x" * 1000)[:500]])
def test_reset(served, behind):
    websocket, peer = served.connect()
    peer.send(frame(TEXT, b"a") + behind)
    wait_until(lambda: websocket.messages)
    peer.reset()
    assert websocket.wait_end() == GONE
    assert websocket.was_released()


def test_many_resets_in_mid_frame_leave_nothing(served, caplog):
    for _ in range(100):
        _, peer = served.connect()
        peer.send(frame(TEXT, b"x" * 1000)[:500])
        peer.reset()
    wait_until(lambda: len(served.manager) == 0)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("kind", TLS)
def test_end_without_close_notify(served, kind):
    websocket, peer = served.connect(kind=kind)
    socket.socket.shutdown(peer.sock, socket.SHUT_RDWR)
    assert websocket.wait_end() == GONE


def test_close_frame_of_a_peer_that_is_gone_is_not_lost_to_a_failed_write(served):
    class Busy(Recorder):
        def received_message(self, message):
            go_on.wait()
            # The peer has said goodbye and is gone: its kernel answers with resets.
            for _ in range(50):
                target.send("news")
                if target._outlet is None or target._outlet.broken:
                    break
                threading.Event().wait(0.01)

    go_on = threading.Event()
    target, target_peer = served.connect()
    busy, busy_peer = served.connect(Busy)
    busy_peer.send(frame(TEXT, b"go"))
    target_peer.send(close_frame(4000, b"bye"))
    target_peer.sock.close()
    go_on.set()
    assert target.wait_end() == (4000, "bye")
    assert busy.events[-1][0] != "closed"


class TestFromCallbacks:
    """A callback may end its own connection in every way, and any other one."""

    @pytest.mark.parametrize("how", ["terminate", "close_connection", "close"])
    @pytest.mark.parametrize("where", ["opened", "received_message", "ponged", "closed"])
    @pytest.mark.parametrize("kind", ["tcp", "ssl"])
    def test_own(self, served, how, where, kind):
        def act(self, *arguments):
            getattr(Recorder, where)(self, *arguments)
            getattr(self, how)()

        cls = type("Ending", (Recorder,), {where: act, "close_timeout": 0.2})
        websocket, peer = served.connect(cls, kind)
        if where != "opened":
            peer.send(frame(TEXT, b"1") + frame(PONG, b"2") + close_frame(4000))
        answered = where == "closed" or (how == "close" and where != "opened")
        assert websocket.wait_end() == ((4000, "") if answered else GONE)

    @pytest.mark.parametrize("how", ["terminate", "close_connection", "close"])
    def test_another(self, served, how):
        class Killer(Recorder):
            def received_message(self, message):
                super().received_message(message)
                getattr(victim, how)()

        victim, victim_peer = served.connect()
        killer, peer = served.connect(Killer)
        peer.send(frame(TEXT, b"now"))
        if how == "close":
            victim_peer.answer_close()
        victim.wait_end()
        assert victim.released is not False
        assert killer.messages == [b"now"]
        peer.send(frame(TEXT, b"again"))
        wait_until(lambda: killer.messages == [b"now", b"again"])

    @pytest.mark.parametrize("how", ["terminate", "close_connection"])
    def test_closed_waits_for_opened(self, served, how):
        class Ending(Recorder):
            def opened(self):
                getattr(self, how)()
                # The manager's thread has every chance to be too early.
                threading.Event().wait(0.1)
                self.note("returns")

        websocket, _ = served.connect(Ending)
        assert websocket.wait_end() == GONE
        assert websocket.events == [("returns",), ("closed", *GONE)]

    def test_terminate_in_opened_by_the_managers_own_thread(self, served):
        class Late(Recorder):
            def opened(self):
                super().opened()
                self.terminate()
                self.note("still opening")

        class Host(Recorder):
            def received_message(self, message):
                served.manager.add(late)

        late, _ = served.make(Late)
        _, peer = served.connect(Host)
        peer.send(frame(TEXT, b"add"))
        late.wait_end()
        assert [event[0] for event in late.events] == ["opened", "still opening", "closed"]


class TestRaising:
    @pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError])
    @pytest.mark.parametrize("where", ["opened", "received_message", "ponged"])
    @pytest.mark.parametrize("kind", ["tcp", "ssl"])
    def test_costs_this_connection_and_no_other(self, served, kind, where, error, caplog):
        def fail(self, *arguments):
            getattr(Recorder, where)(self, *arguments)
            raise error("of mine")

        other, other_peer = served.connect()
        websocket, peer = served.connect(type("Failing", (Recorder,), {where: fail}), kind)
        if where != "opened":
            peer.send(frame(TEXT, b"1") + frame(PONG, b"2"))
        assert peer.answer_close().close_code == 1011
        assert websocket.wait_end()[0] == 1006
        (record,) = [record for record in caplog.records if record.exc_info]
        assert record.exc_info[0] is error
        assert "fail raised" in record.getMessage()
        other_peer.send(frame(TEXT, b"hi"))
        wait_until(lambda: other.messages == [b"hi"])

    def test_at_the_end_costs_no_other(self, served, caplog):
        class Failing(Recorder):
            def closed(self, code, reason=None):
                super().closed(code, reason)
                raise asyncio.CancelledError

        other, other_peer = served.connect()
        websocket, peer = served.connect(Failing)
        peer.sock.close()
        websocket.wait_end()
        other_peer.send(frame(TEXT, b"hi"))
        wait_until(lambda: other.messages == [b"hi"])
        assert "closed raised" in caplog.text

    def test_meant_for_the_servers_thread_leaves_nothing_behind(self, served):
        class Interrupted(Recorder):
            def opened(self):
                raise KeyboardInterrupt

        websocket, peer = served.make(Interrupted)
        with pytest.raises(KeyboardInterrupt):
            served.manager.add(websocket)
        assert websocket.wait_end()[0] == 1006
        assert peer.at_end()
        assert not served.manager.websockets

    def test_after_it_has_ended_its_connection(self, served, caplog):
        class Failing(Recorder):
            def received_message(self, message):
                self.terminate()
                raise ValueError("of mine")

        websocket, peer = served.connect(Failing)
        peer.send(frame(TEXT, b"1"))
        assert websocket.wait_end() == GONE
        wait_until(lambda: caplog.records)
        assert [record.exc_info[0] for record in caplog.records] == [ValueError]

    def test_closed(self, served, caplog):
        class Failing(Recorder):
            def closed(self, code, reason=None):
                super().closed(code, reason)
                raise ValueError("of mine")

        websocket, peer = served.connect(Failing)
        peer.send(close_frame())
        assert peer.read_frame().close_code == 1000
        peer.sock.close()
        websocket.wait_end()
        assert websocket.was_released()
        assert len([record for record in caplog.records if record.exc_info]) == 1

    def test_unhandled_error(self, served, caplog):
        class Failing(Recorder):
            def unhandled_error(self, error):
                raise ValueError("of mine")

        websocket, peer = served.connect(Failing)
        peer.reset()
        assert websocket.wait_end() == GONE
        assert len([record for record in caplog.records if record.exc_info]) == 1

    def test_losing_a_race_with_the_end_is_no_error(self, served, caplog):
        class Chatty(Recorder):
            def received_message(self, message):
                gone.wait()
                for _ in range(200):
                    self.send("x" * 1000)
                    threading.Event().wait(0.001)

        gone = threading.Event()
        websocket, peer = served.connect(Chatty)
        peer.send(frame(TEXT, b"talk"))
        peer.reset()
        gone.set()
        assert websocket.wait_end() == GONE
        assert not [record for record in caplog.records if record.exc_info]

    def test_violation(self, served):
        websocket, peer = served.connect()
        peer.send(frame(TEXT, b"unmasked", mask=False))
        assert peer.read_frame().close_code == 1002
        assert peer.at_end()
        peer.sock.close()
        assert websocket.wait_end()[0] == 1006


def test_a_relay_to_one_that_is_over_does_not_end_the_sender(served, caplog):
    other, other_peer = served.connect()

    class Relaying(Recorder):
        def received_message(self, message):
            super().received_message(message)
            other.send(message)

    websocket, peer = served.connect(Relaying)
    other_peer.sock.close()
    other.wait_end()
    for text in (b"1", b"2"):
        peer.send(frame(TEXT, text))
    wait_until(lambda: websocket.messages == [b"1", b"2"])
    assert websocket.ends == []
    raised = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert raised == [ConnectionClosed] * 2
