"""The seams at which programs put mocks when they test themselves."""

import socket
from unittest.mock import MagicMock, call, patch

import pytest

from tests.support.raw import PING, PONG, TEXT, close_frame, frame
from ws4py.exc import ConnectionClosed
from ws4py.messaging import TextMessage
from ws4py.websocket import EchoWebSocket, Heartbeat, WebSocket


def sock_mock(*received):
    sock = MagicMock(spec=socket.socket)
    sock.recv.side_effect = list(received)
    return sock


def test_one_sendall_for_each_message():
    sock = sock_mock()
    websocket = WebSocket(sock)
    websocket.send("hello")
    sock.sendall.assert_called_once_with(b"\x81\x05hello")
    sock.sendall.reset_mock()
    websocket.send(TextMessage("x" * 1000))
    sock.sendall.assert_called_once_with(TextMessage("x" * 1000).single())
    sock.sendall.reset_mock()
    websocket.ping("p")
    sock.sendall.assert_called_once_with(b"\x89\x01p")
    sock.sendall.reset_mock()
    websocket.close(1000, "bye")
    sock.sendall.assert_called_once_with(b"\x88\x05\x03\xe8bye")


@pytest.mark.parametrize("spec", [socket.socket, None])
def test_run_with_a_script(spec):
    sock = MagicMock(spec=spec) if spec else MagicMock()
    if spec is None:
        sock.pending.return_value = 0
    data = frame(TEXT, b"one") + frame(TEXT, b"two") + close_frame(4000)
    sock.recv.side_effect = [data[i : i + 5] for i in range(0, len(data), 5)]
    websocket = EchoWebSocket(sock)
    websocket.opened, websocket.closed = MagicMock(), MagicMock()
    websocket.run()
    sock.settimeout.assert_called_once_with(None)
    websocket.opened.assert_called_once_with()
    websocket.closed.assert_called_once_with(4000, "")
    assert sock.sendall.mock_calls == [
        call(b"\x81\x03one"),
        call(b"\x81\x03two"),
        call(b"\x88\x02\x0f\xa0"),
    ]
    assert sock.shutdown.mock_calls == [call(socket.SHUT_RDWR)]
    sock.close.assert_called_once_with()
    assert websocket.sock is None
    assert websocket.terminated


def test_run_until_the_end_of_the_socket():
    sock = sock_mock(frame(PING, b"p"), b"")
    websocket = WebSocket(sock)
    websocket.closed = MagicMock()
    websocket.run()
    sock.sendall.assert_called_once_with(b"\x8a\x01p")
    websocket.closed.assert_called_once_with(1006, "Going away")


def test_run_with_a_failing_socket():
    sock = sock_mock(ConnectionResetError("mine"))
    websocket = WebSocket(sock)
    websocket.unhandled_error, websocket.closed = MagicMock(), MagicMock()
    websocket.run()
    (error,) = websocket.unhandled_error.call_args.args
    assert isinstance(error, ConnectionResetError)
    websocket.closed.assert_called_once_with(1006, "Going away")


def test_heartbeat_patched():
    sock = sock_mock(frame(PONG, b"p"), b"")
    with patch("ws4py.websocket.Heartbeat") as heartbeat:
        websocket = WebSocket(sock, heartbeat_freq=3)
        websocket.ponged = MagicMock()
        websocket.run()
    heartbeat.assert_called_once_with(websocket, frequency=3)
    heartbeat.return_value.__enter__.assert_called_once_with()
    heartbeat.return_value.__exit__.assert_called_once()
    assert websocket.ponged.call_args.args[0].data == b"p"


def test_heartbeat_on_a_failing_websocket():
    websocket = MagicMock()
    websocket.send.side_effect = OSError("mine")
    heartbeat = Heartbeat(websocket, 0.01)
    heartbeat.run()
    websocket.close_connection.assert_called_once_with()
    assert websocket.server_terminated is True


def test_process_by_hand():
    """As shells of others do, which read and write themselves."""

    class Shell(EchoWebSocket):
        def _write(self, b):
            written.append(b)

    written = []
    websocket = Shell(None, [], [], {})
    data = frame(TEXT, b"hello") + frame(TEXT, b"again")
    for byte in data:
        assert websocket.process(bytes([byte])) is True
    assert websocket.process(bytearray(close_frame(1001))) is False
    assert written == [b"\x81\x05hello", b"\x81\x05again", b"\x88\x02\x03\xe9"]
    assert websocket.process(b"") is False
    websocket.terminate()
    assert websocket.close_code == 1001
    assert websocket.process(b"x") is False


def test_without_a_socket():
    """The transport is bound later."""
    websocket = WebSocket(None)
    with pytest.raises(ConnectionClosed):
        websocket.send("x")
    assert websocket.once() is False
    assert websocket._get_from_pending() == b""
    websocket.close_connection()
    websocket.close()
    websocket.terminate()
    assert websocket.close_code == 1006


class TestFakeTLS:
    """``_ssl`` or ``_sslobj`` makes it secure; ``pending`` tells what is decrypted."""

    @pytest.mark.parametrize("attribute", ["_ssl", "_sslobj"])
    def test_pending_first(self, attribute):
        sock = MagicMock(spec=["recv", "pending", "sendall", attribute])
        sock.pending.side_effect = [7, 0]
        sock.recv.side_effect = [frame(TEXT, b"1"), frame(TEXT, b"2")]
        websocket = EchoWebSocket(sock)
        assert websocket._is_secure is True
        assert websocket.once() is True
        sock.recv.assert_called_once_with(7)
        assert websocket.once() is True
        assert sock.sendall.mock_calls == [call(b"\x81\x011"), call(b"\x81\x012")]

    def test_plain(self):
        sock = sock_mock(b"")
        websocket = WebSocket(sock)
        assert websocket._is_secure is False
        assert websocket.once() is False


def test_buf_comes_before_the_socket():
    sock = sock_mock(b"")
    websocket = EchoWebSocket(sock)
    websocket.buf = frame(TEXT, b"early")
    assert websocket.once() is True
    sock.recv.assert_not_called()
    assert websocket.buf == b""
    sock.sendall.assert_called_once_with(b"\x81\x05early")
    assert websocket.reading_buffer_size > 2


def test_once_asks_the_flags():
    sock = sock_mock()
    websocket = WebSocket(sock)
    websocket.client_terminated = websocket.server_terminated = True
    assert websocket.once() is False
    sock.recv.assert_not_called()
