"""Over TLS, with both of cheroot's modules: no message waits for another packet.

TLS holds decrypted bytes that no poller announces, which is where messages get stuck.
"""

import contextlib
import ssl

import cherrypy
import pytest

from tests.support.cherrypy_app import Root, cherrypy_app, get, tls_settings
from tests.support.raw import BINARY, CLOSE, TEXT, Frame, RawClient, close_frame, frame, request
from tests.support.tls import certificates
from tests.support.waiting import wait_until

#: Bytes of one TLS record at the most.
_RECORD = 16 * 1024
_MEBIBYTE = bytes(range(256)) * 4096


@pytest.fixture(params=["builtin", "pyopenssl"])
def app(request):
    with cherrypy_app(**tls_settings(request.param)) as running:
        yield running


def numbered(count) -> bytes:
    return b"".join(frame(TEXT, b"%d" % number) for number in range(count))


def assert_numbered(client, count) -> None:
    received = [client.read_frame().payload for _ in range(count)]
    assert received == [b"%d" % number for number in range(count)]


def test_one_small_message(app):
    with app.connect() as client:
        client.send(frame(TEXT, b"x"))
        assert client.read_frame() == Frame(TEXT, b"x")
        assert client.say_goodbye().close_code == 1000


def test_fifty_frames_in_one_record(app):
    with app.connect() as client:
        burst = numbered(50)
        assert len(burst) < _RECORD
        client.send(burst)
        assert_numbered(client, 50)


def test_fifty_frames_in_the_record_of_the_handshake(app):
    with app.connect(behind=numbered(50)) as client:
        assert_numbered(client, 50)


def test_a_get_the_upgrade_and_a_frame_in_one_record(app):
    with app.client() as client:
        client.send(get() + request() + frame(TEXT, b"hi"))
        assert client.read_response().status == 200
        assert client.read_response().status == 101
        assert client.read_frame() == Frame(TEXT, b"hi")


def test_a_thousand_messages_in_one_write(app):
    with app.connect() as client:
        client.send(numbered(1000))
        assert_numbered(client, 1000)


@pytest.mark.parametrize("cut", [1, 2, 5, 6, 8])
def test_a_record_that_ends_in_the_middle_of_a_frame(app, cut):
    last = frame(TEXT, b"50")
    with app.connect() as client:
        client.send(numbered(50) + last[:cut])
        assert_numbered(client, 50)
        client.send(last[cut:])
        assert client.read_frame() == Frame(TEXT, b"50")


def test_records_that_are_full_one_behind_the_other(app):
    # A frame's head of four bytes and its key make each frame one full record.
    payload = bytes(_RECORD - 8)
    with app.connect() as client:
        client.send(frame(BINARY, payload) * 20)
        for _ in range(20):
            assert client.read_frame() == Frame(BINARY, payload)


def test_a_mebibyte_comes_back(app):
    with app.connect() as client:
        client.send(frame(BINARY, _MEBIBYTE))
        assert client.read_frame() == Frame(BINARY, _MEBIBYTE)
        client.say_goodbye()


def test_a_thousand_echoes_one_after_the_other(app):
    with app.connect() as client:
        for number in range(1000):
            client.send(frame(TEXT, b"%d" % number))
            assert client.read_frame() == Frame(TEXT, b"%d" % number)


def test_many_connections_one_after_the_other(app):
    for _ in range(200):
        with app.connect() as client:
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")
            client.say_goodbye()
    wait_until(lambda: app.journal.count("closed") == 200)
    assert app.get() == (200, b"hello")


def test_a_peer_that_leaves_without_saying_so_to_tls(app):
    client = app.connect()
    client.send(frame(TEXT, b"hi"))
    client.read_frame()
    # Python sends no close_notify of its own accord.
    client.sock.close()
    wait_until(lambda: app.journal.count("closed"))
    assert app.journal.all("closed")[0].detail == (1006, "Going away")


def test_a_goodbye_without_saying_so_to_tls(app):
    client = app.connect()
    client.send(close_frame(1001))
    assert client.read_frame().close_code == 1001
    client.sock.close()
    wait_until(lambda: app.journal.count("closed"))
    assert app.journal.all("closed")[0].detail == (1001, "")


def test_a_peer_that_says_so_to_tls_only(app):
    client = app.connect()
    client.sock.setblocking(False)
    raw = client.sock
    # Sends close_notify; the peer's own, which is seldom there already, is not waited for.
    with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError):
        raw = client.sock.unwrap()
    raw.close()
    wait_until(lambda: app.journal.count("closed"))
    assert app.journal.all("closed")[0].detail == (1006, "Going away")


def test_a_reset_below_tls(app):
    for _ in range(20):
        app.connect().reset()
    wait_until(lambda: app.journal.count("closed") == 20)


def test_the_servers_goodbye_ends_tls_as_well(app):
    client = RawClient(app.address)
    client.sock = (
        certificates()
        .client_context()
        .wrap_socket(client.sock, server_hostname="localhost", suppress_ragged_eofs=False)
    )
    with client:
        assert client.upgrade().status == 101
        app.journal.last("opened").close(1000, "enough")
        received = client.read_frame()
        assert received == Frame(CLOSE, b"\x03\xe8enough")
        client.send(close_frame(1000))
        # Raises when TLS was cut off.
        assert client.sock.recv(1) == b""
    wait_until(lambda: app.journal.count("closed"))
    assert app.journal.all("closed")[0].detail == (1000, "")


def test_a_broadcast_reaches_everybody(app):
    clients = [app.connect() for _ in range(20)]
    wait_until(lambda: len(app.manager) == 20)
    app.manager.broadcast("to all")
    for client in clients:
        assert client.read_frame() == Frame(TEXT, b"to all")
        client.sock.close()


def test_a_refusal_is_read_whole(app):
    with app.client() as client:
        response = client.upgrade(behind=frame(TEXT, b"alive?"), sec_websocket_key="short")
        assert response.status == 400
        assert client.at_end()


class Within(Root):
    """Pages that lead elsewhere, once the handler has been made."""

    @cherrypy.expose
    def away(self):
        raise cherrypy.InternalRedirect("/")

    @cherrypy.expose
    def into(self):
        raise cherrypy.InternalRedirect("/ws")


@pytest.mark.parametrize("module", ["builtin", "pyopenssl"])
def test_an_internal_redirect_ends_the_connection_or_keeps_what_came(module):
    paths = {path: {"tools.websocket.on": True} for path in ("/away", "/into")}
    with cherrypy_app(Within(), paths, **tls_settings(module)) as app:
        with app.client() as client:
            assert client.upgrade("/away", get()).get("Connection") == "close"
            assert client.at_end(), client.buffer
        with app.client() as client:
            assert client.upgrade("/into", numbered(50)).status == 101
            assert_numbered(client, 50)
            client.say_goodbye()
