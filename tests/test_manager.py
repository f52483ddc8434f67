"""The manager's books, custom pollers and mocks: what programs and their tests reach into."""

import socket
import threading
from unittest.mock import MagicMock, call

import pytest

from tests.support.raw import BINARY, TEXT, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import wait_until
from ws4py._engine.foreign import ForeignChannel
from ws4py._engine.pollers import EPollPoller, SelectPoller
from ws4py.manager import KQueuePoller, WebSocketManager
from ws4py.websocket import WebSocket


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


class FakePoller:
    """Reports every descriptor always, waits for nothing."""

    def __init__(self, timeout=0.01) -> None:
        self.timeout = timeout
        self.fds = []

    def register(self, fd):
        self.fds.append(fd)

    def unregister(self, fd):
        if fd in self.fds:
            self.fds.remove(fd)

    def poll(self):
        threading.Event().wait(self.timeout)
        return list(self.fds)

    def release(self):
        self.fds.clear()


class TestBooks:
    def test_a_dictionary_by_descriptor(self, served):
        manager = served.manager
        assert (len(manager), manager.websockets) == (0, {})
        first, _ = served.connect()
        second, _ = served.connect()
        assert manager.websockets == {
            first.sock.fileno(): first,
            second.sock.fileno(): second,
        }
        assert list(manager.websockets.copy().values()) == [first, second]
        assert len(manager) == 2
        assert first in manager
        assert second in manager
        assert set(manager) == {first, second}

    def test_in_does_not_ask_for_the_descriptor(self, served):
        websocket, _ = served.make()
        assert websocket not in served.manager
        websocket.close_connection()
        assert websocket not in served.manager
        served.manager.remove(websocket)

    def test_iteration_while_they_leave(self, served):
        for _ in range(10):
            served.connect()
        for websocket in served.manager:
            websocket.terminate()
        wait_until(lambda: len(served.manager) == 0)

    def test_added_twice(self, served):
        websocket, peer = served.connect(Echo)
        served.manager.add(websocket)
        assert websocket.events == [("opened",)]
        peer.send(frame(TEXT, b"1"))
        assert peer.read_frame().payload == b"1"

    def test_added_again_in_opened(self, served):
        class Twice(Recorder):
            def opened(self):
                super().opened()
                served.manager.add(self)

        websocket, _ = served.connect(Twice)
        assert websocket.events == [("opened",)]

    def test_opened_comes_first_and_on_the_adding_thread(self, served):
        class Looking(Recorder):
            def opened(self):
                super().opened()
                self.note("registered", self in served.manager)

        websocket, _ = served.connect(Looking)
        assert websocket.events == [("opened",), ("registered", False)]
        assert websocket.threads == {threading.current_thread().name}
        assert websocket in served.manager

    def test_callbacks_run_on_the_managers_thread(self, served):
        websocket, peer = served.make()
        websocket.opened = lambda: websocket.events.append(("opened",))
        served.manager.add(websocket)
        peer.send(frame(TEXT, b"1") + frame(10, b"2") + frame(8, b""))
        peer.read_frame()
        peer.sock.close()
        websocket.wait_end()
        assert [event[0] for event in websocket.events] == ["opened", "message", "ponged", "closed"]
        assert websocket.threads == {"WebSocketManager"}

    def test_without_a_socket(self, served):
        websocket, _ = served.make()
        websocket.close_connection()
        with pytest.raises(OSError, match="closed"):
            served.manager.add(websocket)
        assert websocket.events == []

    def test_terminated_already(self, served):
        websocket, _ = served.make()
        websocket.opened = lambda: setattr(websocket, "stream", None)
        served.manager.add(websocket)
        assert len(served.manager) == 0

    def test_the_lock_is_the_programs_as_well(self, served):
        with served.manager.lock, served.manager.lock:
            assert len(served.manager) == 0


class TestPollers:
    def test_the_default_is_made_when_it_is_needed(self):
        manager = WebSocketManager()
        poller = manager.poller
        assert poller is manager.poller
        manager.start()
        assert manager.poller is poller
        manager.stop()
        manager.join()

    @pytest.mark.parametrize("make", [EPollPoller, SelectPoller, FakePoller])
    @pytest.mark.parametrize("assigned", [True, False])
    def test_given_or_assigned_before_the_start(self, make, assigned):
        poller = make()
        with serving(None if assigned else poller, start=False) as served:
            if assigned:
                served.manager.poller = poller
            served.manager.start()
            assert served.manager.poller is poller
            pairs = [served.connect(Echo, kind) for kind in ("tcp", "ssl", "pyopenssl")]
            for _, peer in pairs:
                for size in (1, 3_000_000):
                    sending = threading.Thread(target=peer.send, args=[frame(2, b"x" * size)])
                    sending.start()
                    sending.join()
                    assert len(peer.read_frame().payload) == size

    def test_poll_that_returns_nothing(self):
        class Nothing(FakePoller):
            def poll(self):
                super().poll()

        with serving(Nothing()) as served:
            websocket, _ = served.connect()
            websocket.terminate()
            websocket.wait_end()

    def test_none_of_this_system(self):
        with pytest.raises(NotImplementedError, match="EPollPoller"):
            KQueuePoller()


def mock_websocket(fd=None):
    websocket = MagicMock()
    websocket.terminated = False
    if fd is not None:
        websocket.sock.fileno.return_value = fd
    return websocket


class TestMocks:
    """Programs test themselves with mocks in the place of websockets and pollers."""

    def test_once_until_there_is_no_more(self):
        manager = WebSocketManager(FakePoller())
        websocket = mock_websocket(100_000)
        websocket.once.side_effect = [True, True, False]
        manager.start()
        manager.add(websocket)
        wait_until(lambda: websocket.terminate.called)
        manager.stop()
        manager.join()
        assert websocket.method_calls[0] == call.sock.fileno()
        assert call.opened() in websocket.method_calls
        assert websocket.once.call_count == 3
        websocket.terminate.assert_called_once_with()
        assert manager.websockets == {}

    def test_once_that_raises(self, caplog):
        manager = WebSocketManager(FakePoller())
        websocket = mock_websocket(100_000)
        websocket.once.side_effect = ValueError("mine")
        manager.start()
        manager.add(websocket)
        wait_until(lambda: websocket.terminate.called)
        manager.stop()
        manager.join()
        assert len([record for record in caplog.records if record.exc_info]) == 1

    def test_one_that_has_terminated_itself(self):
        manager = WebSocketManager(FakePoller())
        websocket = mock_websocket(100_000)

        def once():
            websocket.terminated = True
            return False

        websocket.once.side_effect = once
        manager.start()
        manager.add(websocket)
        wait_until(lambda: not manager.websockets)
        manager.stop()
        manager.join()
        websocket.terminate.assert_not_called()

    def test_poller_mock(self):
        poller = MagicMock(spec=["register", "unregister", "poll", "release"])
        poller.poll.side_effect = lambda: threading.Event().wait(0.01) or [100_000]
        manager = WebSocketManager(poller)
        websocket = mock_websocket(100_000)
        manager.start()
        manager.add(websocket)
        wait_until(lambda: websocket.once.called)
        assert call.register(100_000) in poller.method_calls
        manager.remove(websocket)
        wait_until(lambda: call.unregister(100_000) in poller.method_calls)
        manager.stop()
        manager.join()
        poller.release.assert_called_once_with()
        websocket.terminate.assert_not_called()

    def test_close_all_broadcast_and_stop(self):
        manager = WebSocketManager(FakePoller())
        websocket = mock_websocket(100_000)
        websocket.close.side_effect = lambda **_: setattr(websocket, "terminated", True)
        manager.start()
        manager.add(websocket)
        assert websocket in manager
        manager.broadcast("text")
        websocket.send.assert_called_once_with("text", False)
        manager.stop()
        manager.join()
        assert websocket.close.call_args == call(code=1001, reason="Server is shutting down")
        websocket.terminate.assert_not_called()
        manager.close_all()

    def test_close_all(self):
        manager = WebSocketManager(FakePoller())
        websockets = [mock_websocket(100_000 + number) for number in range(3)]
        websockets[1].close.side_effect = ValueError("mine")
        for websocket in websockets:
            manager.add(websocket)
        manager.close_all(code=4000, message="pause")
        for websocket in websockets:
            websocket.close.assert_called_once_with(code=4000, reason="pause")
        manager.stop_timeout = 0.1
        manager.stop()
        for websocket in websockets:
            websocket.terminate.assert_called_once_with()

    def test_bare_mock(self):
        """Everything of it is true, that it has terminated as well."""
        manager = WebSocketManager(FakePoller())
        websocket = MagicMock()
        manager.start()
        manager.add(websocket)
        assert len(manager) == 1
        manager.stop()
        manager.join()
        assert len(manager) == 0

    def test_mock_made_after_the_class(self):
        manager = WebSocketManager(FakePoller())
        websocket = MagicMock(spec=WebSocket)
        websocket.sock = MagicMock(spec=socket.socket)
        websocket.sock.fileno.return_value = 100_000
        websocket.terminated = False
        websocket.once.side_effect = [True, False]
        manager.start()
        manager.add(websocket)
        wait_until(lambda: websocket.terminate.called)
        manager.stop()
        manager.join()
        assert websocket.once.call_count == 2

    def test_socket_mock(self):
        """A real websocket on a mock of a socket, under a poller that knows no better."""
        sock = MagicMock(spec=socket.socket)
        sock.fileno.return_value = 100_000
        sock.send.side_effect = len
        sock.recv.side_effect = [frame(TEXT, b"hi"), b""]
        with serving(FakePoller()) as served:
            websocket = Echo(sock)
            served.websockets.append(websocket)
            served.manager.add(websocket)
            assert websocket.wait_end() == (1006, "Going away")
        sock.send.assert_called_once_with(b"\x81\x02hi")
        sock.close.assert_called()

    def test_opened_that_raises(self, served):
        websocket = mock_websocket(100_000)
        websocket.opened.side_effect = ValueError("mine")
        with pytest.raises(ValueError, match="mine"):
            served.manager.add(websocket)
        assert len(served.manager) == 0
        websocket.terminate.assert_called_once_with()

    def test_its_socket_is_gone_before_it_is_registered(self, served):
        websocket = mock_websocket(100_000)
        websocket.opened.side_effect = lambda: setattr(websocket, "sock", None)
        served.manager.add(websocket)
        wait_until(lambda: websocket.terminate.called)
        assert len(served.manager) == 0

    def test_removed_by_another_thread_while_it_is_told(self, served):
        """Between the two nobody reads it any more."""
        websocket = mock_websocket(100_000)
        channel = ForeignChannel(served.manager._crew.pick(), websocket)
        channel.let_go()
        channel.on_ready(1)
        channel.end()
        channel.expire()
        websocket.once.assert_not_called()
        websocket.terminate.assert_not_called()


class TestForeign:
    def test_a_websocket_of_another_making(self, served):
        class Other:
            terminated = False

            def __init__(self, sock):
                self.sock = sock
                self.seen = []

            def opened(self):
                self.seen.append("opened")

            def once(self):
                data = self.sock.recv(100)
                self.seen.append(data)
                return bool(data)

            def close(self, code, reason):
                self.seen.append((code, reason))

            def terminate(self):
                self.terminated = True
                self.seen.append("terminated")
                self.sock.close()

            def send(self, payload, binary=False):
                self.sock.sendall(payload)

        websocket, peer = served.connect(Other)
        peer.send(b"abc")
        wait_until(lambda: websocket.seen == ["opened", b"abc"])
        served.manager.broadcast(b"raw")
        assert peer.sock.recv(10) == b"raw"
        peer.sock.close()
        wait_until(lambda: websocket.seen == ["opened", b"abc", b"", "terminated"])
        wait_until(lambda: len(served.manager) == 0)
        websocket, peer = served.connect(Other)
        served.manager.stop_timeout = 0.1
        served.manager.stop()
        served.manager.join()
        assert websocket.seen == ["opened", (1001, "Server is shutting down"), "terminated"]


class TestMemoryBudget:
    def test_may_be_set_before_the_start_and_stays(self):
        with serving(start=False, memory_budget=5) as served:
            manager = served.manager
            assert manager.memory_budget == 5
            manager.memory_budget = 100_000
            for _ in range(2):
                manager.start()
                websocket, peer = served.connect()
                peer.send(frame(BINARY, b"x" * 300_000)[:200_000])
                assert peer.read_frame().close_code == 1013
                peer.sock.close()
                websocket.wait_end()
                manager.stop()
                manager.join()
                assert manager.memory_budget == 100_000

    def test_may_be_lifted(self):
        with serving(memory_budget=0) as served:
            served.manager.memory_budget = None
            websocket, peer = served.connect()
            peer.send(frame(BINARY, b"x" * 300_000))
            wait_until(lambda: len(websocket.messages) == 1)
