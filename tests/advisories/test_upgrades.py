"""Advisories about the upgrade: requests smuggled in a body, tunnels that stay, injected lines,
foreign pages, and keys that can be foreseen."""

import socket

import pytest

from tests.support.deflating import violation
from tests.support.pair import peer_frame
from tests.support.raw import TEXT, frame, request
from tests.support.wire import BINARY, CLOSE, PING, keys
from tests.support.wsgiref_thread import serving
from ws4py.exc import HandshakeError
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.handshake import ClientHandshake
from ws4py.protocol.headers import Headers
from ws4py.protocol.http11 import build_head
from ws4py.protocol.origin import check_origin
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
OWN = "https://good.example"


class Application:
    """A websocket, and a note of every other request."""

    def __init__(self):
        self.seen = []
        self._websocket = WebSocketWSGIApplication(handler_cls=EchoWebSocket)

    def __call__(self, environ, start_response):
        self.seen.append(environ["PATH_INFO"])
        return self._websocket(environ, start_response)


@pytest.fixture(name="application")
def fixture_application():
    return Application()


@pytest.fixture(name="served")
def fixture_served(application):
    with serving(application) as served:
        yield served


def refused(served, sent):
    """Send a request that has to end its connection; return the status."""
    with served.client() as client:
        client.send(sent)
        response = client.read_response()
        assert (response.get("Connection") or "").lower() == "close"
        assert client.at_end()
        return response.status


@pytest.mark.parametrize(
    "body",
    [
        {"Content_Length": str(len(SMUGGLED))},
        {"Content_Length": "0"},
        {"Content_Length": ["0", str(len(SMUGGLED))]},
        {"Transfer_Encoding": "chunked"},
        {"Transfer_Encoding": "xchunked", "Content_Length": "5"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "name",
    ["CVE-2026-69243", "CVE-2018-12541", "CVE-2023-41419", "CVE-2025-58068", "CVE-2025-43859"],
)
def test_an_upgrade_with_a_body(name, served, application, body):
    """It is refused, the connection ends, and what the body holds is no request."""
    assert refused(served, request(**body) + SMUGGLED) == 400
    assert "/smuggled" not in application.seen


@pytest.mark.parametrize(
    "wrong",
    [
        {"Sec_WebSocket_Version": "12"},
        {"Sec_WebSocket_Key": None},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Origin": "https://evil.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "name", ["CVE-2019-17567", "CVE-2018-1002105", "websocket-smuggle", "GHSA-8wcc-wqxr-28qp"]
)
def test_a_refused_upgrade_leaves_no_tunnel(name, served, application, wrong):
    """A proxy that looks only at the request goes on; there is nobody at the other end."""
    assert refused(served, request(**wrong) + SMUGGLED) >= 400
    assert "/smuggled" not in application.seen


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0b", "a\rb"])
@pytest.mark.parametrize("name", ["CVE-2026-1527", "CVE-2020-35678"])
def test_nothing_can_be_injected_into_a_head(name, value):
    with pytest.raises(ValueError, match="line break or NUL"):
        build_head("GET / HTTP/1.1", [("Origin", value)])
    with pytest.raises(ValueError, match="line break or NUL"):
        build_head(f"GET /{value} HTTP/1.1", [])
    with pytest.raises(ValueError, match="not a sub-protocol name"):
        ClientHandshake(protocols=[value])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://good.example.evil.example",
        "https://evilgood.example",
        "https://good.example@evil.example",
        "https://evil.example/https://good.example",
        "https://evil.example?good.example",
        "https://evil.example#https://good.example",
        "http://good.example",
        "https://good.example:444",
        "https://good.example\t.evil.example",
        "null",
        "",
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "CVE-2014-3429",
        "CVE-2018-14732",
        "CVE-2019-13611",
        "CVE-2022-42975",
        "CVE-2023-0957",
        "CVE-2024-23898",
        "CVE-2024-26135",
        "CVE-2025-24010",
        "CVE-2025-30360",
        "CVE-2026-22689",
        "CVE-2026-27148",
        "CVE-2026-34403",
        "CVE-2026-42283",
    ],
)
def test_another_sites_page_may_not_connect(name, origin):
    """Without being asked to look, and compared whole."""
    for allowed in (None, [OWN], OWN):
        with pytest.raises(HandshakeError) as caught:
            check_origin(origin, OWN, allowed)
        assert caught.value.status == 403


def test_rfc_6455_10_3_frames_without_a_mask_are_refused():
    """Bytes of a page's choice must not be what a cache reads."""
    for opcode in (TEXT, BINARY, PING, CLOSE):
        for payload in (b"", b"\x03\xe8"):
            sent = frame(opcode, payload, mask=False)
            assert violation(Connection(SERVER), sent).code == 1002
            masked = frame(opcode, payload)
            assert violation(Connection(CLIENT), masked).code == 1002


@pytest.mark.parametrize("name", ["CVE-2025-10148", "GHSA-w67g-5rqw-f597"])
def test_every_frame_has_a_key_of_its_own_from_the_kernel(name, monkeypatch):
    """One that nobody can foresee, and that does not come again."""
    given = []

    def urandom(size):
        given.append(bytes([len(given) % 256, len(given) // 256, 7, 7])[:size])
        return given[-1]

    monkeypatch.setattr("os.urandom", urandom)
    connection = Connection(CLIENT)
    sent = b"".join(connection.send_message(BINARY, b"x" * number) for number in range(300))
    sent += connection.send_ping(b"") + connection.send_close(1000, "")
    assert keys(sent) == given
    assert len(set(given)) == 302


def test_npm_321_the_handshakes_nonce_cannot_be_foreseen(monkeypatch):
    given = []
    monkeypatch.setattr("os.urandom", lambda size: given.append(size) or bytes(size))
    assert ClientHandshake().key == "AAAAAAAAAAAAAAAAAAAAAA=="
    assert given == [16]


def test_cve_2021_33880_what_answers_a_secret_is_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(first, second):
        compared.append((first, second))
        return first == second

    monkeypatch.setattr("hmac.compare_digest", compare)
    handshake = ClientHandshake()
    fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "no")]
    with pytest.raises(HandshakeError, match="does not answer"):
        handshake.check_response(101, Headers(fields))
    assert len(compared) == 1


def test_half_a_frame_behind_a_refusal_is_nothing(served, application):
    """The client believes in the upgrade and goes on at once."""
    sent = request(Sec_WebSocket_Key="no") + peer_frame(SERVER, TEXT, SMUGGLED)
    assert refused(served, sent) == 400
    with socket.create_connection(served.server.server_address):
        assert "/smuggled" not in application.seen
