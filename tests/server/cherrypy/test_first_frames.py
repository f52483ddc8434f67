"""Bytes around the handshake: a frame in its segment, a frame cut in two, many at once."""

import os

import pytest

from tests.support.cherrypy_app import JournalledEcho, cherrypy_app, get
from tests.support.raw import BINARY, CLOSE, PING, PONG, TEXT, Frame, close_frame, frame, request
from tests.support.waiting import wait_until

_MEBIBYTE = bytes(range(256)) * 4096


def test_a_frame_in_the_segment_of_the_handshake(app):
    with app.connect(behind=frame(TEXT, b"early")) as client:
        assert client.read_frame() == Frame(TEXT, b"early")
        client.say_goodbye()


def test_frames_in_the_segment_of_the_handshake_come_in_order(app):
    frames = b"".join(frame(TEXT, b"%d" % number) for number in range(50))
    with app.connect(behind=frames) as client:
        received = [client.read_frame().payload for _ in range(50)]
        assert received == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("cut", [1, 2, 4, 6, 7, 10])
def test_a_frame_cut_between_the_handshake_and_later(app, cut):
    data = frame(TEXT, b"hello")
    with app.connect(behind=data[:cut]) as client:
        client.send(data[cut:])
        assert client.read_frame() == Frame(TEXT, b"hello")


def test_a_large_frame_that_begins_in_the_segment_of_the_handshake(app):
    with app.connect(behind=frame(BINARY, _MEBIBYTE)) as client:
        assert client.read_frame() == Frame(BINARY, _MEBIBYTE)


def test_a_ping_and_a_goodbye_in_the_segment_of_the_handshake(app):
    with app.connect(behind=frame(PING, b"?") + close_frame(1000)) as client:
        assert client.read_frame() == Frame(PONG, b"?")
        assert client.read_frame().close_code == 1000
        assert client.at_end()


def test_a_handshake_that_comes_byte_by_byte(app):
    with app.client() as client:
        for byte in request() + frame(TEXT, b"slow"):
            client.send(bytes([byte]))
        assert client.read_response().status == 101
        assert client.read_frame() == Frame(TEXT, b"slow")


class Greeter(JournalledEcho):
    """Says something first."""

    def opened(self) -> None:
        self.send("welcome")
        super().opened()


def test_what_came_early_is_delivered_after_opened():
    with cherrypy_app(handler=Greeter) as app:
        with app.connect(behind=frame(TEXT, b"early")) as client:
            assert client.read_frame() == Frame(TEXT, b"welcome")
            assert client.read_frame() == Frame(TEXT, b"early")
        assert app.journal.names()[:3] == ["made", "opened", "message"]


def test_get_upgrade_and_frame_in_one_segment(app):
    with app.client() as client:
        client.send(get() + request() + frame(TEXT, b"hi"))
        assert client.read_response().status == 200
        assert client.body == b"hello"
        assert client.read_response().status == 101
        assert client.read_frame() == Frame(TEXT, b"hi")
        client.say_goodbye()


def test_an_upgrade_on_a_connection_that_was_kept_alive(app):
    with app.client() as client:
        for _ in range(3):
            client.send(get())
            assert client.read_response().status == 200
        assert client.upgrade().status == 101
        client.send(frame(TEXT, b"hi"))
        assert client.read_frame() == Frame(TEXT, b"hi")


def test_an_http_request_behind_the_upgrade_is_no_request(app):
    with app.connect(behind=get()) as client:
        received = client.read_frame()
        assert received.opcode == CLOSE
        assert received.close_code == 1002
        assert client.at_end()


def test_fifty_frames_in_one_write(app):
    with app.connect() as client:
        client.send(b"".join(frame(TEXT, b"%d" % number) for number in range(50)))
        received = [client.read_frame().payload for _ in range(50)]
        assert received == [b"%d" % number for number in range(50)]


def test_a_mebibyte_comes_back(app):
    with app.connect() as client:
        client.send(frame(BINARY, _MEBIBYTE))
        assert client.read_frame() == Frame(BINARY, _MEBIBYTE)


def test_a_thousand_echoes_one_after_the_other(app):
    with app.connect() as client:
        for _ in range(1000):
            payload = os.urandom(16)
            client.send(frame(BINARY, payload))
            assert client.read_frame() == Frame(BINARY, payload)


def test_every_socket_is_let_go(app):
    with app.connect() as client:
        client.say_goodbye()
    wait_until(lambda: len(app.manager) == 0)
