"""What has to hold on every server, with and without TLS."""

import contextlib
import resource
import time

import pytest

from tests.servers.fleet import OWN
from tests.support.raw import BINARY, PING, PONG, TEXT, Frame, close_frame, frame, request
from tests.support.waiting import DEADLINE, wait_until

_MEBIBYTE = bytes(range(256)) * 4096

#: Of the changes to a good handshake, which status answers them.
_BAD = [
    ({"sec_websocket_key": None}, 400),
    ({"sec_websocket_key": "short"}, 400),
    ({"sec_websocket_key": "not base64 at all!!!!!!!"}, 400),
    ({"connection": "keep-alive"}, 400),
    ({"version": "HTTP/1.0"}, 400),
    ({"content_length": "5"}, 400),
    ({"transfer_encoding": "chunked"}, 400),
    ({"sec_websocket_protocol": "other"}, 400),
    ({"origin": "https://elsewhere.example"}, 403),
    ({"method": "POST", "content_length": "0"}, 405),
    ({"upgrade": None}, 426),
    ({"sec_websocket_version": "99"}, 426),
    ({"sec_websocket_version": None}, 426),
]


def numbered(count) -> bytes:
    return b"".join(frame(TEXT, b"%d" % number) for number in range(count))


def assert_numbered(client, count) -> None:
    received = [client.read_frame().payload for _ in range(count)]
    assert received == [b"%d" % number for number in range(count)]


@pytest.mark.case("raw 101")
def test_the_101_has_its_fields_and_nothing_behind_it(served):
    with served.client() as client:
        client.send(request(sec_websocket_protocol="echo"))
        response = client.read_response()
        names = [name for name, _ in response.headers]
        assert sorted(names) == sorted([*OWN, "Sec-WebSocket-Protocol", *served.kind.fields])
        assert response.get("Upgrade") == "websocket"
        assert response.get("Connection") == "Upgrade"
        assert response.get("Sec-WebSocket-Protocol") == "echo"
        # What comes next, at whatever time, is the answer to this and no body.
        client.send(frame(PING, b"next"))
        assert client.read(6) == b"\x8a\x04next"


@pytest.mark.case("frames in the handshake's segment")
def test_the_handshake_and_two_frames_in_one_segment(served):
    with served.connect(behind=frame(TEXT, b"one") + frame(BINARY, b"two")) as client:
        assert client.read_frame() == Frame(TEXT, b"one")
        assert client.read_frame() == Frame(BINARY, b"two")
        assert client.say_goodbye().close_code == 1000


@pytest.mark.case("frame split around the handshake")
@pytest.mark.parametrize("cut", [1, 2, 5, 8])
def test_a_frame_split_around_the_handshake(served, cut):
    data = frame(TEXT, b"hello")
    with served.connect(behind=data[:cut]) as client:
        client.send(data[cut:])
        assert client.read_frame() == Frame(TEXT, b"hello")


@pytest.mark.case("1,000 echoes")
def test_a_thousand_echoes(served):
    with served.connect() as client:
        for number in range(1000):
            client.send(frame(TEXT, b"%d" % number))
            assert client.read_frame() == Frame(TEXT, b"%d" % number)


@pytest.mark.case("1 MiB")
def test_a_mebibyte_comes_back_as_it_went(served):
    with served.connect() as client:
        client.send(frame(BINARY, _MEBIBYTE))
        assert client.read_frame() == Frame(BINARY, _MEBIBYTE)


@pytest.mark.case("50 frames in one write")
def test_fifty_frames_in_one_write(served):
    # Over TLS it is one record.
    with served.connect() as client:
        client.send(numbered(50))
        assert_numbered(client, 50)


@pytest.mark.case("200 open and a GET")
def test_two_hundred_open_and_a_get(served):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(200)]
        for client in clients:
            client.send(frame(TEXT, b"here"))
        assert [client.read_frame().payload for client in clients] == [b"here"] * 200
        assert served.get() == b"hello"


@pytest.mark.case("1,000 connects")
def test_a_thousand_connects_leave_nothing_behind(served):
    _connect_many(served, 60)
    wait_until(served.all_closed)
    opened, descriptors, threads = served.status()["opened"], served.descriptors(), served.threads()
    _connect_many(served, 1000)
    wait_until(served.all_closed)
    assert served.status()["opened"] > opened + 800
    assert _comes_down_to(lambda: len(served.descriptors()), len(descriptors)), (
        descriptors,
        served.descriptors(),
    )
    assert _comes_down_to(served.threads, threads + served.kind.pool)


def _comes_down_to(measure, limit) -> bool:
    deadline = time.monotonic() + DEADLINE
    while measure() > limit and time.monotonic() < deadline:
        time.sleep(0.01)
    return measure() <= limit


def _connect_many(served, count) -> None:
    """A third says goodbye, a third resets the connection, some of it at once, a third drops it."""
    for number in range(count):
        client = served.client()
        client.send(request() + frame(TEXT, b"hi"))
        if number % 3 == 1 and number % 7 == 0:
            client.reset()
            continue
        assert client.read_response().status == 101
        if number % 3 == 0:
            client.send(close_frame())
            assert client.read_frame() == Frame(TEXT, b"hi")
            assert client.read_frame().close_code == 1000
        if number % 3 == 1:
            client.reset()
        client.sock.close()


@pytest.mark.case("bad handshakes")
@pytest.mark.parametrize(("changes", "status"), _BAD, ids=str)
def test_a_bad_handshake_is_answered_and_nothing_else(served, changes, status):
    opened, logged = served.status()["opened"], len(served.tracebacks())
    with served.client() as client:
        client.send(request(**changes) + frame(TEXT, b"alive?"))
        response = client.read_response()
        assert response.status == status
        assert response.get("Connection").lower() == "close"
        assert not [name for name, _ in response.headers if name == "Sec-WebSocket-Accept"]
        with contextlib.suppress(ConnectionError):
            client.send(frame(TEXT, b"alive?"))
        assert client.at_end()
    assert served.status()["opened"] == opened
    assert len(served.tracebacks()) == logged


@pytest.mark.parametrize(
    ("said", "status"),
    [("status", 401), ("reason", 429), ("elsewhere", 303), ("wrong", 500), ("broken", 500)],
)
def test_who_the_program_refuses_gets_no_101(served, said, status):
    opened, logged = served.status()["opened"], len(served.tracebacks())
    with served.client() as client:
        client.send(request(f"/checked?{said}") + frame(TEXT, b"alive?"))
        response = client.read_response()
        assert response.status == status
        assert response.get("Connection").lower() == "close"
        assert response.get("Sec-WebSocket-Accept") is None
        if said == "reason":
            assert b"not so fast" in client.body
        if said == "elsewhere":
            assert response.get("Location").endswith("/login")
        with contextlib.suppress(ConnectionError):
            client.send(frame(TEXT, b"alive?"))
        while not client.at_end():
            # Of a page whose length its server does not tell.
            client.buffer = b""
    assert served.status()["opened"] == opened
    assert len(served.tracebacks()) == logged + (said == "broken")


def test_who_the_program_lets_in_is_served(served):
    with served.client() as client:
        assert client.upgrade("/checked", behind=frame(TEXT, b"hi")).status == 101
        assert client.read_frame() == Frame(TEXT, b"hi")


@contextlib.contextmanager
def room_for(served, count):
    """The descriptors of the process that serves are the limit where no other is set."""
    usual = resource.prlimit(served.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(served.pid, resource.RLIMIT_NOFILE, (64 + count, usual[1]))
    try:
        yield
    finally:
        resource.prlimit(served.pid, resource.RLIMIT_NOFILE, usual)


def lets_in(served) -> bool:
    with served.client() as client:
        return client.upgrade().status == 101


def test_one_too_many_gets_no_101(served):
    wait_until(served.all_closed)
    with room_for(served, 1):
        with _first_in(served) as first:
            first.send(frame(TEXT, b"first"))
            assert first.read_frame() == Frame(TEXT, b"first")
            opened = served.status()["opened"]
            for _ in range(3):
                with served.client() as client:
                    response = client.upgrade(behind=frame(TEXT, b"alive?"))
                    assert response.status == 503
                    assert response.get("Retry-After") == "10"
                    assert response.get("Connection").lower() == "close"
                    assert b"1 is reached" in client.body
                    assert client.at_end()
            assert served.status()["opened"] == opened
            first.send(frame(TEXT, b"here"))
            assert first.read_frame() == Frame(TEXT, b"here")
            first.say_goodbye()
        wait_until(lambda: lets_in(served))


def _first_in(served):
    """A connection, once those before it are forgotten."""
    deadline = time.monotonic() + DEADLINE
    while True:
        client = served.client()
        if client.upgrade().status == 101:
            return client
        client.sock.close()
        assert time.monotonic() < deadline


def test_pings_are_answered(served):
    with served.connect(behind=frame(PING, b"?")) as client:
        assert client.read_frame() == Frame(PONG, b"?")
