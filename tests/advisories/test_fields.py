"""Advisories about header fields: expressions that never end, names that crash, work that squares.

No test asserts a time. What is given to the parsers is so long that anything worse than
linear would not come to its end before the test's time limit.
"""

import contextlib
import itertools

import pytest

from tests.support.raw import accept_for
from ws4py.exc import HandshakeError
from ws4py.protocol.handshake import Request, accept_request
from ws4py.protocol.headers import Headers, parse_extensions, parse_tokens
from ws4py.protocol.http11 import HeadReader

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LONG = 1024 * 1024

HOSTILE = {
    "blanks": "a" + " " * LONG + "b",
    "tabs": "\t" * LONG,
    "commas": "," * LONG,
    "semicolons": "a" + ";" * LONG,
    "an open quote": 'a; b="' + "c" * LONG,
    "escapes": 'a; b="' + "\\" * LONG,
    "equals": "a; b" + "=" * LONG,
    "parameters": "a; b;" * (LONG // 5) + "=",
}


def request(host="good.example", **fields):
    pairs = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        *((name.replace("_", "-"), value) for name, value in fields.items()),
    ]
    return Request("GET", (1, 1), Headers(pairs), "http://good.example")


def fed(reader, data):
    """Whether a reader takes the bytes; it says 431 otherwise."""
    try:
        reader.feed(data)
    except HandshakeError as error:
        return error.status != 431
    return True


def parsed(parser, value):
    with contextlib.suppress(HandshakeError):
        parser(value)


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("name", ["CVE-2021-32640"])
def test_a_list_of_sub_protocols_is_read_in_one_pass(name, shape):
    parsed(parse_tokens, HOSTILE[shape])


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("name", ["CVE-2020-7662", "CVE-2020-7663"])
def test_a_list_of_extensions_is_read_in_one_pass(name, shape):
    parsed(parse_extensions, HOSTILE[shape])


@pytest.mark.parametrize("value", ["constructor", "__proto__", "__class__", "__init__; name=x"])
def test_ghsa_5v72_xg48_5rpm_names_that_mean_something_to_the_language(value):
    accepted = accept_request(
        request(Sec_WebSocket_Extensions=value), extensions="permessage-deflate"
    )
    assert accepted.extensions == []
    assert accepted.headers[2] == ("Sec-WebSocket-Accept", accept_for(KEY))


@pytest.mark.parametrize("name", ["CVE-2024-37890", "CVE-2026-54465"])
def test_the_number_of_fields_is_bounded(name):
    reader = HeadReader()
    fields = b"".join(b"x-%d: y\r\n" % number for number in range(1000))
    with pytest.raises(HandshakeError) as caught:
        reader.feed(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert caught.value.status == 431


def test_cve_2023_43669_a_head_without_an_end():
    """Byte by byte, and bounded long before it has become long."""
    reader = HeadReader()
    taken = sum(1 for _ in itertools.takewhile(lambda _: fed(reader, b"a"), range(LONG)))
    assert taken <= 16 * 1024 + len(b"\r\n\r\n")


@pytest.mark.parametrize("host", ["", " ", "a b", "a/b", "a,b", "\x00", "a\r\nx: y", "@", "é"])
def test_cve_2026_61666_a_malformed_host_is_refused(host):
    with pytest.raises(HandshakeError) as caught:
        accept_request(request(host))
    assert caught.value.status == 400


def test_cve_2025_67725_a_field_that_is_repeated_very_often():
    """Joining them costs what they are long."""
    fields = [("Sec-WebSocket-Protocol", "a")] * (LONG // 4)
    joined = Headers(fields).joined("sec-websocket-protocol")
    assert len(joined) == 3 * len(fields) - 2
    with pytest.raises(HandshakeError):
        Headers(fields).single("sec-websocket-protocol")
