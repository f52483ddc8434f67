"""Every attribute, method and callback that programs of the 0.6 days know."""

import inspect
import socket

import pytest

from tests.support.sockets import pair
from ws4py import websocket as module
from ws4py.streaming import Stream
from ws4py.websocket import DEFAULT_READING_SIZE, EchoWebSocket, Heartbeat, WebSocket


@pytest.fixture(name="ends")
def fixture_ends():
    with pair() as ends:
        yield ends


def test_names():
    assert set(module.__all__) == {
        "DEFAULT_READING_SIZE",
        "EchoWebSocket",
        "Heartbeat",
        "WebSocket",
    }
    assert DEFAULT_READING_SIZE == 2
    assert issubclass(EchoWebSocket, WebSocket)
    assert Heartbeat.__name__ == "Heartbeat"


def test_constructor(ends):
    expected = {"protocols": None, "extensions": None, "environ": None, "heartbeat_freq": None}
    signature = inspect.signature(WebSocket)
    assert {n: p.default for n, p in signature.parameters.items() if n != "sock"} == expected
    websocket = WebSocket(ends[0], ["chat"], ["x"], {"a": "b"}, 5)
    assert websocket.sock is websocket.connection is ends[0]
    assert websocket.protocols == ["chat"]
    assert websocket.extensions == ["x"]
    assert websocket.environ == {"a": "b"}
    assert websocket.heartbeat_freq == 5


def test_state_of_a_new_one(ends):
    websocket = WebSocket(ends[0])
    assert isinstance(websocket.stream, Stream)
    assert websocket.stream
    assert (websocket.stream.always_mask, websocket.stream.expect_masking) == (False, True)
    assert websocket.client_terminated is websocket.server_terminated is False
    assert websocket.terminated is False
    assert websocket.reading_buffer_size == DEFAULT_READING_SIZE
    assert websocket.buf == b""
    assert websocket._is_secure is False
    assert websocket.sock_timeout is None
    assert websocket.close_code is websocket.close_reason is None
    assert websocket.close_timeout == 10
    assert websocket.max_message_size == 16 * 1024 * 1024
    assert websocket.max_frame_size is None
    assert websocket.max_fragments == 131_072


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("server", [True, False])
def test_terminated_asks_both_flags(ends, client, server):
    websocket = WebSocket(ends[0])
    websocket.client_terminated, websocket.server_terminated = client, server
    assert websocket.terminated is (client and server)
    # A mock is no answer.
    websocket.client_terminated = 1
    assert websocket.terminated is False


def test_addresses(ends):
    websocket = WebSocket(ends[0])
    assert websocket.local_address == ends[0].getsockname()
    assert websocket.peer_address == ends[1].getsockname()
    websocket.close_connection()
    assert websocket.peer_address == ends[1].getsockname()
    websocket._local_address = "some text of the program"
    assert websocket.local_address == "some text of the program"


def test_addresses_of_ipv6():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        peer = socket.create_connection(listener.getsockname()[:2])
        sock, _ = listener.accept()
    with peer, sock:
        websocket = WebSocket(sock)
        assert websocket.local_address == listener_name(sock)
        assert websocket.peer_address == ("::1", peer.getsockname()[1])


def listener_name(sock):
    return sock.getsockname()[:2]


def test_addresses_of_a_unix_socket(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as peer:
        listener.bind(path)
        listener.listen()
        peer.connect(path)
        sock, _ = listener.accept()
        with sock:
            websocket = WebSocket(sock)
            assert websocket.local_address == path
            assert websocket.peer_address == ""


@pytest.mark.parametrize("name", ["local_address", "peer_address"])
def test_addresses_of_a_closed_one(ends, name):
    websocket = WebSocket(ends[0])
    websocket.close_connection()
    with pytest.raises(OSError, match="closed"):
        getattr(websocket, name)


def test_callbacks_do_nothing_of_themselves(ends, caplog):
    websocket = WebSocket(ends[0])
    websocket.opened()
    websocket.received_message(None)
    websocket.ponged(None)
    websocket.closed(1000)
    websocket.closed(1000, "reason")
    assert not caplog.records


def test_unhandled_error(ends, caplog):
    caplog.set_level("INFO", logger="ws4py")
    websocket = WebSocket(ends[0])
    for error in (ConnectionResetError("gone"), TimeoutError("late"), OSError("odd")):
        websocket.unhandled_error(error)
    lost, late, odd = caplog.records
    assert (lost.levelname, lost.exc_info) == ("INFO", None)
    assert (late.levelname, late.exc_info) == ("INFO", None)
    assert (odd.levelname, odd.getMessage()) == ("ERROR", "Failed to receive data")
    assert odd.exc_info[0] is OSError


def test_equality_hash_and_attributes_are_those_of_any_object(ends):
    first, second = WebSocket(ends[0]), WebSocket(ends[0])
    assert first != second
    assert len({first, second, first}) == 2
    first.username = "somebody"
    assert first.__dict__["username"] == "somebody"
    assert not hasattr(WebSocket, "__slots__")


def test_the_program_may_replace_everything(ends):
    """As clients do that connect once more with the same object."""
    websocket = WebSocket(ends[0])
    websocket.terminate()
    assert websocket.stream is websocket.sock is websocket.environ is None
    assert websocket.terminated
    with pair() as (sock, peer):
        websocket.sock, websocket.stream = sock, Stream()
        websocket.client_terminated = websocket.server_terminated = False
        websocket.send("again")
        assert peer.recv(100) == b"\x81\x05again"
        websocket.terminate()
        assert peer.recv(100) == b""
