"""A request's head: how long it may be and how long it may take, on the servers that are ours."""

import contextlib
import io
import socket
import socketserver
import threading
import time

import gevent
import pytest

from tests.support import hub_thread, wsgiref_thread
from tests.support.raw import TEXT, Frame, RawClient, frame, request
from tests.support.sockets import pair
from tests.support.waiting import DEADLINE
from ws4py.server import geventserver, wsgirefserver
from ws4py.server._request_head import (
    MAX_LINE,
    HeadLimits,
    HeadTooLargeError,
    PatientReader,
)
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

#: Far below a socket's own 10 s.
_SHORT = 0.25
_HALF = b"GET /ws HTTP/1.1\r\nHost: x\r\n"
_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#: The beginning of a TLS record of half a kilobyte.
_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)

websockets = WebSocketWSGIApplication(handler_cls=EchoWebSocket)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/ws":
        return websockets(environ, start_response)
    if environ["PATH_INFO"] == "/slow":
        ours = environ["SERVER_SOFTWARE"].startswith("WSGIServer")
        (threading.Event().wait if ours else gevent.sleep)(3 * _SHORT)
    if environ["PATH_INFO"] == "/body":
        start_response("200 OK", [("Content-Length", "6")])
        return [environ["wsgi.input"].read(6)]
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


class ThreadedServer(socketserver.ThreadingMixIn, wsgirefserver.WSGIServer):
    pass


_SERVERS = {
    "wsgiref": (wsgiref_thread.serving, wsgirefserver.WSGIServer),
    "threads": (wsgiref_thread.serving, ThreadedServer),
    "gevent": (hub_thread.serving, geventserver.WSGIServer),
}


@contextlib.contextmanager
def serving(name, seconds=_SHORT, tls=False):
    start, base = _SERVERS[name]
    kind = type(base.__name__, (base,), {"open_timeout": seconds})
    arguments = (kind, application) if name == "gevent" else (application, kind)
    with start(*arguments, tls=tls) as served:
        yield served


@pytest.fixture(params=_SERVERS)
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Without the line for each request."""
    monkeypatch.setattr(wsgirefserver.WebSocketWSGIRequestHandler, "log_message", lambda *_: None)


def drip(client, data) -> bool:
    """Send a byte after the other until there is an answer or the end; whether there was one."""
    deadline = time.monotonic() + DEADLINE
    client.sock.settimeout(0.01)
    try:
        for number in range(len(data)):
            assert time.monotonic() < deadline
            # Reading is waiting: of TLS a socket may have something that is no answer.
            with contextlib.suppress(TimeoutError):
                client.buffer += client.sock.recv(65536)
                return True
            client.send(data[number : number + 1])
    except ConnectionError:
        return True
    finally:
        client.sock.settimeout(DEADLINE)
    return False


# -- How long it may take --------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_byte_after_the_other_is_answered_408_in_the_end(name, tls):
    with serving(name, tls=tls) as served, served.client() as client:
        assert drip(client, _HALF + b"X: " + b"x" * 8000)
        response = client.read_response()
        assert response.status == 408
        assert response.get("Connection").lower() == "close"
        client.buffer = b""
        while not client.at_end():
            client.buffer = b""


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_half_a_request_is_answered_408(name, tls):
    with serving(name, tls=tls) as served:
        for half in (b"G", _HALF):
            with served.client() as client:
                client.send(half)
                assert client.read_response().status == 408
        assert served.get() == b"hello"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_who_says_nothing_is_dropped_without_a_word(name, tls):
    with serving(name, tls=tls) as served:
        with served.client() as client:
            assert client.at_end()
        assert served.get() == b"hello"


def test_who_does_not_come_to_the_end_of_tls_is_dropped(name):
    with serving(name, tls=True) as served:
        with served.client() as client:
            port = client.sock.getpeername()
        with RawClient(port) as silent:
            assert silent.at_end()
        with RawClient(port) as slow:
            assert drip(slow, _HELLO)
            assert slow.at_end()
        assert served.get() == b"hello"


def test_what_comes_behind_the_head_has_its_own_time(name):
    with serving(name) as served, served.connect() as client:
        assert not threading.Event().wait(3 * _SHORT)
        client.send(frame(TEXT, b"still there"))
        assert client.read_frame() == Frame(TEXT, b"still there")


def test_an_application_may_take_longer_than_its_request(name):
    with serving(name) as served, served.client() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_response().status == 200


def test_any_time_is_a_choice_too(name):
    with serving(name, None) as served, served.client() as client:
        client.send(_HALF)
        assert not threading.Event().wait(_SHORT)
        client.send(b"\r\n")
        assert client.read_response().status == 426


def test_a_frame_in_the_last_segment_of_a_slow_head_is_not_lost(name):
    sent = request()
    with serving(name, 10.0) as served, served.client() as client:
        assert not drip(client, sent[:-3])
        client.send(sent[-3:] + frame(TEXT, b"early"))
        assert client.read_response().status == 101
        assert client.read_frame() == Frame(TEXT, b"early")


def test_a_body_has_its_own_time(name):
    with serving(name) as served, served.client() as client:
        client.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        assert not threading.Event().wait(2 * _SHORT)
        client.send(b"def")
        assert client.read_response().status == 200
        assert client.body == b"abcdef"


def test_a_connection_that_is_kept_alive_may_be_idle_until_its_next_request_begins():
    with serving("gevent") as served, served.client() as client:
        for _ in range(2):
            client.send(_GET)
            assert client.read_response().status == 200
            assert not threading.Event().wait(2 * _SHORT)
        assert drip(client, _HALF + b"X: " + b"x" * 8000)
        assert client.read_response().status == 408


def test_a_time_out_of_the_applications_own_is_its_own(capfd):
    def own(_environ, _start_response):
        with gevent.Timeout(0.01):
            gevent.sleep(DEADLINE)

    with hub_thread.serving(geventserver.WSGIServer, own) as served, served.client() as client:
        client.send(_GET)
        assert client.read_response().status == 500
    assert "Timeout" in capfd.readouterr().err


def test_what_has_begun_and_what_is_too_late():
    with pair() as (sock, peer):
        reader = PatientReader(sock, None, DEADLINE)
        peer.sendall(b"ab")
        assert not reader.begun
        assert reader.read(1) == b"a"
        assert reader.begun
        reader.head_is_read()
        assert sock.gettimeout() is None
        assert reader.read(1) == b"b"
        late = PatientReader(sock, None, 0.0)
        with pytest.raises(TimeoutError, match="not complete in time"):
            late.read(1)
        assert not late.begun


def test_the_time_for_one_read_holds_beside_that_for_all():
    with pair() as (sock, _):
        with pytest.raises(TimeoutError):
            PatientReader(sock, 0.01, DEADLINE).read(1)
        assert sock.gettimeout() == 0.01


# -- How long it may be ----------------------------------------------------------


def head(*lines) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", b"Host: x", *lines, b"", b""])


_LINE = b"X-%03d: " + b"x" * 7000
_TOO_LARGE = {
    "line": (head(b"X: " + b"x" * MAX_LINE), 431),
    "head": (head(*(_LINE % number for number in range(3))), 431),
    "fields": (head(*(b"X-%03d: x" % number for number in range(140))), 431),
    "path": (b"GET /" + b"x" * (MAX_LINE + 1) + b" HTTP/1.1\r\n\r\n", 414),
    "no end": (b"GET / HTTP/1.1\r\nX: " + b"x" * (2 * MAX_LINE), 431),
}


@pytest.mark.parametrize("kind", _TOO_LARGE)
def test_a_head_that_is_too_large_is_refused_without_a_traceback(name, kind, capfd):
    sent, status = _TOO_LARGE[kind]
    with serving(name) as served, served.client() as client:
        client.send(sent)
        assert client.read_response().status == status
        client.buffer = b""
        while not client.at_end():
            client.buffer = b""
        assert served.get() == b"hello"
    assert "Traceback" not in capfd.readouterr().err


def test_a_head_within_the_limits_is_not(name):
    lines = [b"X-%03d: " % number + b"x" * 100 for number in range(90)]
    with serving(name) as served, served.client() as client:
        client.send(head(b"Y: " + b"y" * 5000, *lines))
        assert client.read_response().status == 200


def test_lines_are_measured_whatever_the_parser_allows():
    def limits(data, first=b"\r\n"):
        return HeadLimits(io.BytesIO(data), first)

    line = b"x:" + b"x" * (MAX_LINE - 4) + b"\r\n"
    assert limits(line).readline(65537) == line
    with pytest.raises(HeadTooLargeError, match="8192"):
        limits(b"x" + line).readline(65537)
    whole = limits(line * 2, b"")
    assert [whole.readline(), whole.readline()] == [line, line]
    with pytest.raises(HeadTooLargeError, match="16384"):
        limits(line, b"x" + line).readline()


# -- Whether it is one -----------------------------------------------------------

_EVIL = b"Origin: http://evil.example"
_MALFORMED = {
    "no colon": [b"no colon", _EVIL],
    "blank before the colon": [b"Origin : http://evil.example"],
    "blank before the colon of a length": [b"Content-Length : 5"],
    "folded": [b"X: y", b" Origin: http://evil.example"],
    "folded at once": [b"\tX: y"],
    "no name": [b": x", _EVIL],
    "control character in a name": [b"X\x01Y: z", _EVIL],
    "name beyond ASCII": [b"\xc3\xa9: x", b"Content-Length: 5"],
    "LF": [b"X: y\nZ: z"],
    "CR": [b"X: y\rZ: z"],
    "NUL": [b"X: y\0"],
    "empty length": [b"Content-Length:"],
    "length that is no number": [b"content-length: +5"],
    "length of other digits": [b"content-length: \xb2"],
    "two lengths": [b"Content-Length: 0", b"Content-Length: 0"],
}


def upgrade(path, lines) -> bytes:
    return request(path)[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def assert_refused(client):
    """By 400, and what comes behind that is the end."""
    response = client.read_response()
    assert response.status == 400
    assert response.get("Connection") == "close"
    client.buffer = b""
    while not client.at_end():
        assert b"HTTP/1.1 " not in client.buffer
        client.buffer = b""


@pytest.mark.parametrize("path", ["/ws", "/"], ids=["handshake", "page"])
@pytest.mark.parametrize("kind", _MALFORMED)
def test_a_malformed_head_is_refused_and_ends_the_connection(name, path, kind, capfd):
    with serving(name) as served, served.client() as client:
        client.send(upgrade(path, _MALFORMED[kind]) + _GET)
        assert_refused(client)
        assert served.get() == b"hello"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\nHost: x\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    ],
    ids=["first line's end", "first line", "line's end", "last line"],
)
def test_lines_end_in_crlf_and_nothing_else(name, sent):
    with serving(name) as served, served.client() as client:
        client.send(sent)
        assert_refused(client)


def test_half_a_head_is_no_request(name):
    with serving(name) as served:
        for half in (_HALF, _HALF + b"Transfer-Encoding: chun"):
            with served.client() as client:
                client.send(half)
                client.sock.shutdown(socket.SHUT_WR)
                assert_refused(client)


def test_a_malformed_head_ends_a_connection_that_is_kept_alive_too():
    with serving("gevent") as served, served.client() as client:
        client.send(_GET)
        assert client.read_response().status == 200
        client.send(head(b"Transfer-Encoding : chunked") + _GET)
        assert_refused(client)


def test_a_field_may_have_an_empty_value_and_any_letters_in_it(name):
    with serving(name) as served, served.client() as client:
        client.send(upgrade("/ws", [b"X:", b"Y:  \t", b"Z: \xc3\xa9\t\x01:"]))
        assert client.read_response().status == 101
