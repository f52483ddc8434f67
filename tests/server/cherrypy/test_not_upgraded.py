"""Whatever else than a 101 goes out: no websocket comes alive, and the connection ends."""

import base64
import contextlib
import select
import threading

import cherrypy
import pytest

from tests.support.cherrypy_app import JournalledEcho, Root, cherrypy_app, get
from tests.support.raw import BINARY, TEXT, frame, request
from tests.support.waiting import DEADLINE

_ALIVE = frame(TEXT, b"alive?")
_UPGRADE_HEADERS = ("Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol")


class Pages(Root):
    """Pages below the tool that answer something else."""

    @cherrypy.expose
    def forbidden(self):
        raise cherrypy.HTTPError(403)

    sent = threading.Event()

    @cherrypy.expose
    def waiting(self):
        """Answers when everything has been sent to it."""
        assert self.sent.wait(DEADLINE)
        raise cherrypy.HTTPError(403)

    @cherrypy.expose
    def broken(self):
        raise ZeroDivisionError("a page handler's own mistake")

    @cherrypy.expose
    def elsewhere(self):
        raise cherrypy.HTTPRedirect("/")

    @cherrypy.expose
    def within(self):
        raise cherrypy.InternalRedirect("/")

    @cherrypy.expose
    def other(self):
        cherrypy.response.status = 200
        return "a page"

    @cherrypy.expose
    def nothing(self):
        cherrypy.response.status = 204

    @cherrypy.expose
    def streamed(self):
        cherrypy.response.status = 200
        cherrypy.response.stream = True
        return (b"%d," % number for number in range(100))

    @cherrypy.expose
    def dismissed(self):
        del cherrypy.request.ws_handler

    @cherrypy.expose
    def guarded(self):
        return "never reached"

    @cherrypy.expose
    def late(self):
        assert self.sent.wait(DEADLINE)
        raise cherrypy.InternalRedirect("/")

    @cherrypy.expose
    def round(self):
        raise cherrypy.InternalRedirect("/")

    shown = 0

    @cherrypy.expose
    def counted(self):
        """What nobody may reach behind a refused upgrade."""
        Pages.shown += 1
        return "reached"

    @cherrypy.expose
    def twice(self):
        raise cherrypy.InternalRedirect("/within")

    @cherrypy.expose
    def into(self):
        raise cherrypy.InternalRedirect("/ws")


_TOOL = {"tools.websocket.on": True, "tools.websocket.protocols": ["chat"]}
_AUTH = {
    "tools.auth_basic.on": True,
    "tools.auth_basic.realm": "here",
    "tools.auth_basic.checkpassword": lambda _, user, word: (user, word) == ("me", "secret"),
}
_ANSWERS = {
    "forbidden": 403,
    "missing": 404,
    "broken": 500,
    "elsewhere": 303,
    "other": 200,
    "nothing": 204,
    "streamed": 200,
    "dismissed": 500,
    "guarded": 401,
    "unmade": 500,
    "refusing": 409,
    "leaving": 303,
}
#: By the page, twice, by `check`, and before the tool's turn.
_REDIRECTED = ["/within", "/twice", "/checked", "/early"]


class Unmade(JournalledEcho):
    """A handler whose constructor fails."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        raise LookupError("a constructor's own mistake")


def refusing(*_, **__):
    raise cherrypy.HTTPError(409)


def leaving(*_, **__):
    raise cherrypy.HTTPRedirect("/")


def within(*_):
    raise cherrypy.InternalRedirect("/")


@pytest.fixture(scope="module")
def pages():
    paths = {f"/{name}": dict(_TOOL) for name in [*_ANSWERS, "waiting", "late"]}
    paths |= {path: dict(_TOOL) for path in _REDIRECTED}
    paths["/checked"]["tools.websocket.check"] = within
    paths["/early"]["hooks.on_start_resource"] = within
    paths["/guarded"] |= _AUTH
    paths["/unmade"]["tools.websocket.handler_cls"] = Unmade
    paths["/refusing"]["tools.websocket.handler_cls"] = refusing
    paths["/leaving"]["tools.websocket.handler_cls"] = leaving
    with cherrypy_app(Pages(), paths) as app:
        Unmade.journal = app.journal
        # Of the two handlers whose purpose it is; see the fixture below.
        app.errors_expected = True
        yield app


@pytest.fixture(autouse=True)
def no_traceback(pages, request):
    """An error is logged where a handler makes one, and nowhere else."""
    before = len(pages.log.tracebacks())
    yield
    if "broken" not in request.node.name and "unmade" not in request.node.name:
        assert pages.log.tracebacks()[before:] == []


def assert_still_serving(app):
    assert app.get() == (200, b"hello")
    with app.connect(behind=_ALIVE) as client:
        assert client.read_frame().payload == b"alive?"
        client.say_goodbye()


@pytest.mark.parametrize("name", _ANSWERS)
@pytest.mark.parametrize("when", ["with the request", "after the answer"])
def test_the_connection_ends_and_no_frame_is_looked_at(pages, name, when):
    opened, messages = pages.journal.count("opened"), pages.journal.count("message")
    with pages.client() as client:
        behind = _ALIVE if when == "with the request" else b""
        response = client.upgrade(f"/{name}", behind, sec_websocket_protocol="chat")
        assert response.status == _ANSWERS[name]
        assert response.get("Connection") == "close"
        for header in _UPGRADE_HEADERS:
            assert response.get(header) is None, header
        if not behind:
            try:
                client.send(_ALIVE)
            except ConnectionError:
                # It has ended already.
                return
        assert client.at_end(), client.buffer
    assert pages.journal.count("opened") == opened
    assert pages.journal.count("message") == messages
    assert len(pages.manager) == 0
    assert_still_serving(pages)


def test_a_streamed_page_arrives_whole_and_its_end_is_seen(pages):
    with pages.client() as client:
        client.upgrade("/streamed", sec_websocket_protocol="chat")
        body = client.body + client.buffer
        while more := client.sock.recv(65536):
            body += more
    assert body == b"".join(b"%d," % number for number in range(100))


def test_what_has_come_already_does_not_turn_the_end_into_a_reset(pages):
    # More than cheroot's reader holds, less than the kernel takes at once.
    behind = frame(BINARY, bytes(32 * 1024))
    with pages.client() as client:
        client.send(request("/waiting", sec_websocket_protocol="chat") + behind)
        Pages.sent.set()
        assert client.read_response().status == 403
        assert client.sock.recv(1) == b""
        # Time for a reset behind the end, if there is one.
        assert pages.get() == (200, b"hello")
        poller = select.poll()
        poller.register(client.sock, 0)
        assert poller.poll(0) == []


@pytest.mark.parametrize("name", ["broken", "unmade"])
def test_the_server_survives_any_number_of_broken_handlers(pages, name):
    for _ in range(5):
        with pages.client() as client:
            assert client.upgrade(f"/{name}", _ALIVE).status == 500
            assert client.at_end()
    assert_still_serving(pages)


@pytest.mark.parametrize("path", _REDIRECTED)
@pytest.mark.parametrize("when", ["with the request", "after the answer"])
def test_an_internal_redirect_leads_away_from_the_websocket(pages, path, when):
    opened, shown = pages.journal.count("opened"), Pages.shown
    with pages.client() as client:
        behind = get("/counted") if when == "with the request" else b""
        response = client.upgrade(path, behind)
        assert (response.status, client.body) == (200, b"hello")
        assert response.get("Sec-WebSocket-Accept") is None
        assert response.get("Connection") == "close"
        if not behind:
            # It may have ended already.
            with contextlib.suppress(ConnectionError):
                client.send(get("/counted"))
        assert client.at_end(), client.buffer
    assert pages.get() == (200, b"hello")
    assert Pages.shown == shown
    assert pages.journal.count("opened") == opened
    assert len(pages.manager) == 0


def test_what_is_behind_an_internal_redirect_does_not_turn_the_end_into_a_reset(pages):
    Pages.sent.clear()
    with pages.client() as client:
        client.send(request("/late") + frame(BINARY, bytes(32 * 1024)))
        Pages.sent.set()
        assert client.read_response().status == 200
        assert client.sock.recv(1) == b""


def test_an_internal_redirect_of_an_ordinary_request_keeps_its_connection_alive(pages):
    with pages.client() as client:
        for _ in range(2):
            client.send(get("/round"))
            assert client.read_response().status == 200
            assert client.body == b"hello"


def test_an_internal_redirect_to_a_websocket_upgrades(pages):
    with pages.client() as client:
        assert client.upgrade("/into", _ALIVE).status == 101
        assert client.read_frame().payload == b"alive?"
        client.say_goodbye()


def test_who_has_the_password_gets_the_websocket(pages):
    credentials = base64.b64encode(b"me:secret").decode()
    with pages.connect("/guarded", authorization=f"Basic {credentials}", behind=_ALIVE) as client:
        assert client.read_frame().payload == b"alive?"
        client.say_goodbye()


def test_other_paths_keep_their_connections_alive(pages):
    with pages.client() as client:
        for _ in range(3):
            client.send(get())
            assert client.read_response().status == 200
            client.send(get("/nowhere"))
            assert client.read_response().status == 404


def test_an_upgrade_to_a_path_without_the_tool_is_an_ordinary_request(pages):
    with pages.client() as client:
        assert client.upgrade("/").status == 200
        client.send(request("/ws"))
        assert client.read_response().status == 101
        client.say_goodbye()
