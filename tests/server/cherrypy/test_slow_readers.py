"""A reader that stops reading: nobody else notices, and the engine still stops."""

import time

import cherrypy

from tests.support.cherrypy_app import cherrypy_app, farewell, in_background
from tests.support.raw import BINARY, TEXT, Frame, frame
from tests.support.waiting import wait_until

_SLOW = 3
_OTHERS = 5
_PAYLOAD = bytes(64 * 1024)
#: More than the kernel keeps for a connection (4 MiB to send, 6 MiB to receive).
_BROADCASTS = 200
#: How much later than its limit a stop may be on a busy machine.
_MARGIN = 10.0


def serving(app, count) -> list:
    before = len(app.manager)
    clients = [app.connect() for _ in range(count)]
    wait_until(lambda: len(app.manager) == before + count)
    return clients


def close_all(clients) -> None:
    for client in clients:
        client.sock.close()


def read_broadcasts(app, others) -> None:
    for _ in range(_BROADCASTS):
        app.manager.broadcast(_PAYLOAD, binary=True)
        for client in others:
            assert client.read_frame() == Frame(BINARY, _PAYLOAD)


def test_others_get_every_broadcast_and_their_echoes(app):
    slow, others = serving(app, _SLOW), serving(app, _OTHERS)
    read_broadcasts(app, others)
    for client in others:
        client.send(frame(TEXT, b"hi"))
        assert client.read_frame() == Frame(TEXT, b"hi")
    assert app.get() == (200, b"hello")
    close_all(slow + others)
    wait_until(lambda: app.journal.count("closed") == _SLOW + _OTHERS)


def test_a_slow_reader_is_closed_in_the_end(app):
    slow, others = serving(app, 1), serving(app, 1)
    read_broadcasts(app, others)
    (websocket,) = (each for each in app.manager if each.server_terminated)
    assert websocket._outlet.unsent <= (
        websocket.unsent_soft_limit + websocket.unsent_hard_limit + 2 * (len(_PAYLOAD) + 10)
    )
    received = [slow[0].read_frame() for _ in range(_BROADCASTS // 10)]
    while received[-1].opcode == BINARY:
        received.append(slow[0].read_frame())
    assert received[-1].close_code == 1008
    assert b"unsent_hard_limit" in received[-1].payload
    close_all(slow + others)


def test_a_slow_reader_gets_everything_when_it_reads_at_last():
    with cherrypy_app(config={"/ws": {"tools.websocket.unsent_hard_limit": None}}) as app:
        slow, others = serving(app, 1), serving(app, 1)
        read_broadcasts(app, others)
        for _ in range(_BROADCASTS):
            assert slow[0].read_frame() == Frame(BINARY, _PAYLOAD)
        close_all(slow + others)


def test_the_stop_is_bounded(app):
    app.manager.stop_timeout = 0.5
    slow, others = serving(app, _SLOW), serving(app, _OTHERS)
    read_broadcasts(app, others)
    began = time.monotonic()
    with in_background(cherrypy.engine.stop):
        assert [farewell(client) for client in others] == [1001] * _OTHERS
        close_all(others)
    assert time.monotonic() - began < app.manager.stop_timeout + _MARGIN
    assert app.journal.count("closed") == _SLOW + _OTHERS
    close_all(slow)


def test_a_peer_that_makes_us_answer_without_reading_is_not_read_any_more():
    with cherrypy_app() as app:
        (slow,), (other,) = serving(app, 1), serving(app, 1)
        slow.sock.settimeout(1)
        sent = 0
        try:
            while sent < 1000:
                slow.send(frame(BINARY, _PAYLOAD))
                sent += 1
        except TimeoutError:
            # What it sends now stays with the kernels of both ends.
            pass
        assert sent < 1000
        other.send(frame(TEXT, b"hi"))
        assert other.read_frame() == Frame(TEXT, b"hi")
        close_all([slow, other])
        wait_until(lambda: app.journal.count("closed") == 2)
