"""Peers that vanish before, during and right behind the handshake.

That no descriptor is left is checked for every test; here is when callbacks are called.
"""

import gc
import select
import socket
import threading

import cherrypy
import pytest

from tests.support.cherrypy_app import Root, cherrypy_app, tls_settings
from tests.support.raw import TEXT, frame, request
from tests.support.waiting import DEADLINE, wait_until

# From Python 3.13 on cheroot's writers complain, when they are freed, of what they could
# not write to a peer that was gone.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function IOBase.__del__:pytest.PytestUnraisableExceptionWarning"
)

_OFFSETS = 20
_REPEATS = 5


@pytest.fixture(autouse=True)
def free_cheroots_writers():
    """In the test that they come from."""
    yield
    gc.collect()


def spread(size) -> list:
    """Offsets from 0 to ``size``."""
    return [size * step // (_OFFSETS - 1) for step in range(_OFFSETS)]


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_peer_that_leaves_within_its_request(app, how):
    sent = request()
    for offset in spread(len(sent) - 1):
        for _ in range(_REPEATS):
            client = app.client()
            client.send(sent[:offset])
            client.reset() if how == "reset" else client.sock.close()
    assert app.get() == (200, b"hello")
    assert app.journal.names() == []
    assert len(app.manager) == 0


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_peer_that_leaves_within_the_reply(app, how):
    with app.client() as client:
        client.send(request() + frame(TEXT, b""))
        while b"\r\n\r\n\x81\x00" not in client.buffer:
            client._more()
        size = len(client.buffer)
    for offset in spread(size):
        for _ in range(_REPEATS):
            client = app.client()
            client.send(request() + frame(TEXT, b""))
            client.read(offset)
            client.reset() if how == "reset" else client.sock.close()
    assert app.get() == (200, b"hello")
    wait_until(lambda: app.journal.count("closed") == app.journal.count("opened"))
    assert len(app.manager) == 0


class Patient(Root):
    """A page behind the upgrade that goes on when its peer is gone."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)

    @cherrypy.expose
    def ws(self):
        self.entered.release()
        wait_until(lambda: is_reset(cherrypy.request.ws_handler.sock))


def is_reset(sock) -> bool:
    """Whether the kernel has seen the peer's reset."""
    poller = select.poll()
    poller.register(sock, 0)
    return bool(poller.poll(0))


def test_a_peer_that_is_gone_when_the_101_is_written_is_never_opened():
    root = Patient()
    with cherrypy_app(root) as app:
        for _ in range(_OFFSETS):
            client = app.client()
            client.send(request())
            assert root.entered.acquire(timeout=DEADLINE)
            client.reset()
        wait_until(lambda: app.server.httpserver.requests.idle == app.server.thread_pool)
        assert app.get() == (200, b"hello")
        assert app.journal.count("made") == _OFFSETS
        assert app.journal.count("opened") == 0
        assert len(app.manager) == 0


class _Vanishing:
    """Ends the peer between the 101 and the plugin."""

    def __init__(self, how) -> None:
        self.how = how
        self.client = None

    def __call__(self, handler, peer) -> None:
        assert len(peer) == 2
        if self.how == "reset":
            self.client.reset()
        else:
            self.client.sock.close()


@pytest.mark.parametrize("how", ["reset", "close"])
@pytest.mark.parametrize("module", [None, "builtin", "pyopenssl"])
def test_a_peer_that_vanishes_right_behind_the_101(module, how):
    vanishing = _Vanishing(how)
    settings = tls_settings(module) if module else {}
    with cherrypy_app(**settings) as app:
        cherrypy.engine.subscribe("handle-websocket", vanishing, priority=1)
        for number in range(_OFFSETS):
            vanishing.client = app.client()
            vanishing.client.send(request() + frame(TEXT, b"early"))
            wait_until(lambda wanted=number + 1: app.journal.count("closed") == wanted)
        assert app.journal.count("opened") == _OFFSETS
        assert len(app.manager) == 0


def test_a_hundred_resets_of_open_websockets(app):
    clients = [app.connect() for _ in range(100)]
    for client in clients:
        client.reset()
    wait_until(lambda: app.journal.count("closed") == 100)
    assert {note.detail[0] for note in app.journal.all("closed")} == {1006}


def test_a_reset_in_the_middle_of_a_frame(app):
    for cut in range(1, 12):
        client = app.connect()
        client.send(frame(TEXT, b"hello")[:cut])
        client.reset()
    wait_until(lambda: app.journal.count("closed") == 11)
    wait_until(lambda: len(app.manager) == 0)


def test_a_peer_that_stops_sending_gets_its_echo_and_the_end(app):
    with app.connect() as client:
        client.send(frame(TEXT, b"last"))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read_frame().payload == b"last"
        assert client.at_end()
    wait_until(lambda: app.journal.all("closed")[0].detail == (1006, "Going away"))
