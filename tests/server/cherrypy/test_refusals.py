"""Requests that are no acceptable handshake: which status, and that nothing comes alive.

cheroot folds repeated header fields into one before anybody else sees the request:
those that are lists are joined, of all others the last one wins. What cheroot or
CherryPy refuse by themselves never reaches the tool.
"""

import base64
import contextlib

import pytest

from tests.support.raw import TEXT, frame, request
from tests.support.waiting import wait_until

_ALIVE = frame(TEXT, b"alive?")


def key(size) -> str:
    return base64.b64encode(bytes(size)).decode()


def refused(app, sent, behind=_ALIVE):
    """Send a request and a frame; the answer, after which the connection has to end."""
    before = app.journal.count("made"), len(app.log.tracebacks())
    with app.client() as client:
        client.send(sent + behind)
        response = client.read_response()
        assert client.at_end(), client.buffer
    assert (app.journal.count("made"), len(app.log.tracebacks())) == before
    assert len(app.manager) == 0
    return response, client.body


def assert_refused(app, status, sent):
    response, page = refused(app, sent)
    assert response.status == status, sent
    assert response.get("Connection") == "close"
    assert b"Traceback" not in page
    assert response.get("Sec-WebSocket-Accept") is None
    return response


def assert_accepted(app, **changes):
    with app.connect(behind=_ALIVE, **changes) as client:
        assert client.read_frame().payload == b"alive?"
        client.say_goodbye()
    # The next refusal is to find the manager empty, which it is only once its loop came round.
    wait_until(lambda: len(app.manager) == 0)


# -- The fields of the handshake ------------------------------------------------------


_OTHER_VERSIONS = [
    None,
    "",
    "12",
    "99",
    "13, 13",
    "13;13",
    "+13",
    "013",
    "thirteen",
    "1" * 4000,
]


def test_another_version_is_told_ours(shared_app):
    for version in _OTHER_VERSIONS:
        response = assert_refused(shared_app, 426, request(sec_websocket_version=version))
        assert ("Sec-WebSocket-Version", "13") in response.headers


def test_both_versions_are_accepted(shared_app):
    for version in ("13", "8"):
        assert_accepted(shared_app, sec_websocket_version=version)


def test_a_doubled_version_is_its_last_one_since_cheroot_drops_the_first(shared_app):
    assert_accepted(shared_app, sec_websocket_version=["99", "13"])
    assert_refused(shared_app, 426, request(sec_websocket_version=["13", "99"]))


_NO_UPGRADES = [
    ({"upgrade": None}, 426),
    ({"upgrade": ""}, 426),
    ({"upgrade": "notwebsocket"}, 400),
    ({"upgrade": "websocket2"}, 400),
    ({"upgrade": "h2c"}, 400),
    ({"upgrade": "websocket/13"}, 400),
    ({"upgrade": "web socket"}, 400),
    ({"connection": "keep-alive"}, 400),
    ({"connection": None}, 400),
    ({"connection": "notupgrade"}, 400),
    ({"connection": "close"}, 400),
    ({"connection": "Up grade"}, 400),
]
_UPGRADES = [
    {"upgrade": "websocket, x"},
    {"upgrade": "h2c, WebSocket"},
    {"upgrade": "WEBSOCKET"},
    {"connection": "keep-alive, Upgrade"},
    {"connection": "UPGRADE"},
    {"connection": "upgrade, close"},
    {"connection": ["keep-alive", "Upgrade"]},
    {"connection": " ,, Upgrade ,"},
]
_BAD_KEYS = [None, "", key(15), key(17), key(0), "!" * 24, key(16)[:-1], "é=="]
_BAD_KEYS += ["AAAA " + "A" * 18 + "==", key(16) + ", " + key(16)]


def test_the_tokens_that_make_an_upgrade_are_exact(shared_app):
    for changes, status in _NO_UPGRADES:
        assert_refused(shared_app, status, request(**changes))


def test_tokens_may_stand_among_others_in_any_case(shared_app):
    for changes in _UPGRADES:
        assert_accepted(shared_app, **changes)


def test_a_key_that_is_not_sixteen_bytes_in_base64(shared_app):
    for value in _BAD_KEYS:
        assert_refused(shared_app, 400, request(sec_websocket_key=value))


def test_a_doubled_key_is_its_last_one_since_cheroot_drops_the_first(shared_app):
    assert_accepted(shared_app, sec_websocket_key=[key(15), key(16)])
    assert_refused(shared_app, 400, request(sec_websocket_key=[key(16), key(15)]))


# -- HTTP ------------------------------------------------------------------------------


def test_another_method(shared_app):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        response = assert_refused(shared_app, 405, request(method=method))
        assert response.get("Allow") == "GET"


def test_head_is_refused_without_a_page(shared_app):
    with shared_app.client() as client:
        client.send(request(method="HEAD") + _ALIVE)
        assert client.read(len("HTTP/1.1 405")) == b"HTTP/1.1 405"
        rest = b""
        while not client.at_end():
            rest += client.read(len(client.buffer))
            client.buffer = client.sock.recv(65536)
        assert rest.endswith(b"\r\n\r\n")


def test_http_1_0(shared_app):
    assert_refused(shared_app, 400, request(version="HTTP/1.0"))


def test_another_protocol_is_refused_by_cheroot(shared_app):
    for version in ("HTTP/2.0", "HTTP/1", "HTTP/x.y", "FTP/1.1", "HTTP/1.2"):
        response, _ = refused(shared_app, request(version=version))
        assert 400 <= response.status < 600, version


def test_no_host_is_refused_by_cherrypy(shared_app):
    with shared_app.client() as client:
        assert client.upgrade(host=None).status == 400
    assert len(shared_app.manager) == 0


def test_a_malformed_host(shared_app):
    for host in ("", "a b", "a/b", "user@a", "a,b", "a?b", "a#b", "a\\b", "a\x01"):
        assert_refused(shared_app, 400, request(host=host))


def test_any_name_may_be_the_host(shared_app):
    for host in ("a", "a:1", "1.2.3.4:5", "[::1]", "[::1]:80", "x.example."):
        assert_accepted(shared_app, host=host)


def test_a_doubled_host_is_its_last_one_since_cheroot_drops_the_first(shared_app):
    hosts, origin = ["first.example", shared_app.host], f"http://{shared_app.host}"
    assert_accepted(shared_app, host=hosts, origin=origin)
    assert_refused(shared_app, 403, request(host=hosts[::-1], origin=origin))


def test_a_path_that_is_not_served(shared_app):
    paths = ("/ws%0d%0aX:1", "/ws%00", "/ws\x00", "/ws\x0b", "/ws/%0a", "/ws#x", "/ws/a/b")
    for path in paths:
        with shared_app.client() as client:
            assert 400 <= client.upgrade(path).status < 500, path
    assert len(shared_app.manager) == 0


def test_a_carriage_return_within_the_path_is_dropped_by_cheroot(shared_app):
    assert_accepted(shared_app, path="/w\rs")


def test_an_absolute_uri_is_accepted_as_rfc_6455_section_4_2_1_has_it(shared_app):
    assert_accepted(shared_app, path=f"http://{shared_app.host}/ws", host=shared_app.host)


# -- Bodies ----------------------------------------------------------------------------

_SECOND = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\nX-Fill: 1\r\n\r\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"content_length": str(len(_SECOND))},
        {"content_length": "0"},
        {"content_length": "00"},
        {"transfer_encoding": "chunked"},
        {"transfer_encoding": "chunked", "content_length": str(len(_SECOND))},
        {"transfer_encoding": ["chunked", "chunked"]},
        {"content_length": ["1", str(len(_SECOND))]},
        {"content_length": [str(len(_SECOND)), "1"]},
    ],
)
def test_a_request_with_a_body_and_another_request_in_it(shared_app, changes):
    response, _ = refused(shared_app, request(**changes), behind=_SECOND)
    assert response.status == 400
    assert response.get("Connection") == "close"
    assert not shared_app.log.mentions("/hidden")


def test_a_length_that_is_none_is_refused(shared_app):
    for length in ("-1", "x", "1e3", "9" * 30):
        response, _ = refused(shared_app, request(content_length=length), behind=b"")
        assert 400 <= response.status < 500, length


def test_another_transfer_coding_is_refused_by_cheroot(shared_app):
    for coding in ("gzip", "identity", "gzip, chunked", "x"):
        response, _ = refused(shared_app, request(transfer_encoding=coding), behind=b"")
        assert response.status == 501, coding


# -- Size ------------------------------------------------------------------------------


_SIZE = 8192
_HUGE = 8 * 1024 * 1024
_LISTS = {
    "blanks": " " * _SIZE,
    "commas": "," * _SIZE,
    "quotes": '"' * _SIZE,
    "backslashes": '"' + "\\" * _SIZE,
    "semicolons": "a" + ";" * _SIZE,
    "parameters": "a;b" * (_SIZE // 3),
    "equals": "a;b=" * (_SIZE // 4),
    "open quote": 'a;b="' + "," * _SIZE,
    "words": "a, " * (_SIZE // 3),
    "tabs": "\t" * _SIZE,
    "controls": "\x01" * _SIZE,
    "latin": "\xe9" * _SIZE,
}


@pytest.mark.parametrize("field", ["sec_websocket_protocol", "sec_websocket_extensions"])
def test_a_long_list_is_judged_without_an_error_of_ours(shared_app, field):
    before = len(shared_app.log.tracebacks())
    for shape in _LISTS.values():
        with shared_app.client() as client:
            # 101: with no protocol of our own the offer is not looked at.
            assert client.upgrade(**{field: shape}).status in (101, 400)
    assert len(shared_app.log.tracebacks()) == before


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /ws HTTP/1.1\r\nX: " + b"a" * _HUGE + b"\r\n\r\n",
        b"GET /ws HTTP/1.1\r\n" + b"X-Filler: filler\r\n" * (_HUGE // 18) + b"\r\n",
        b"GET /" + b"w" * _HUGE + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["line", "fields", "path"],
)
def test_a_head_above_cherrypys_own_limit_is_refused_by_cheroot(shared_app, sent):
    with shared_app.client() as client:
        # It need not read to the end to know, and then the rest is answered by a reset.
        with contextlib.suppress(ConnectionError):
            client.send(sent)
        with contextlib.suppress(ConnectionError):
            assert client.read_response().status in (413, 414)
        assert client.at_end()
    assert len(shared_app.manager) == 0
    assert shared_app.get() == (200, b"hello")


def test_a_long_head_within_that_limit_is_an_ordinary_handshake(shared_app):
    fields = {f"x_{number}": "a" * 60 for number in range(1000)}
    with shared_app.connect(x_long="a" * 65536, **fields) as client:
        client.say_goodbye()
