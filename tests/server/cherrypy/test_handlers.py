"""What may be a handler, and what it sees of its request."""

import functools
import threading

import cherrypy
import pytest

from tests.support.cherrypy_app import JournalledEcho, Root, cherrypy_app
from tests.support.raw import CLOSE, PING, TEXT, Frame, close_frame, frame
from tests.support.waiting import wait_until
from ws4py.websocket import EchoWebSocket, WebSocket


class Named(EchoWebSocket):
    """Takes more than the tool gives, and says so when asked."""

    def __init__(self, *args, name="nobody", **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.name = name

    def received_message(self, message) -> None:
        self.send(self.name)


def by_function(sock, protocols, extensions, environ, heartbeat_freq=None):
    return Named(sock, protocols, extensions, environ, heartbeat_freq, name="function")


class Factory:
    def method(self, *args, **kwargs):
        return Named(*args, name="method", **kwargs)


_KINDS = {
    "class": (Named, b"nobody"),
    "function": (by_function, b"function"),
    "partial": (functools.partial(Named, name="partial"), b"partial"),
    "method": (Factory().method, b"method"),
    "closure": (lambda *args, **kwargs: Named(*args, name="closure", **kwargs), b"closure"),
}


def assert_answers(client, text) -> None:
    client.send(frame(TEXT, b"who are you?"))
    assert client.read_frame() == Frame(TEXT, text)
    client.say_goodbye()


@pytest.mark.parametrize("kind", _KINDS)
def test_anything_that_can_be_called_makes_handlers(kind):
    handler, name = _KINDS[kind]
    config = {"/ws": {"tools.websocket.handler_cls": handler}}
    with cherrypy_app(config=config) as app, app.connect() as client:
        assert_answers(client, name)


def test_what_a_handler_is_made_with():
    seen = []

    def factory(*args, **kwargs):
        seen.append((args, kwargs))
        return EchoWebSocket(*args, **kwargs)

    config = {
        "/ws": {
            "tools.websocket.handler_cls": factory,
            "tools.websocket.protocols": ["chat"],
            "tools.websocket.heartbeat_freq": 5,
        }
    }
    with (
        cherrypy_app(config=config) as app,
        app.connect("/ws?room=1", sec_websocket_protocol="chat") as client,
    ):
        (sock, protocols, extensions, environ), keywords = seen[0]
        assert sock.getpeername() == client.sock.getsockname()
        assert (protocols, extensions, keywords) == (["chat"], [], {"heartbeat_freq": 5})
        assert environ["QUERY_STRING"] == "room=1"
        client.say_goodbye()


def decorated():
    class Decorated(Root):
        @cherrypy.expose
        @cherrypy.tools.websocket(handler_cls=functools.partial(Named, name="decorated"))
        def by_decorator(self):
            pass

        @cherrypy.expose
        @cherrypy.tools.websocket(on=False)
        def off(self):
            return "a page"

    return Decorated()


def test_the_tool_as_a_decorator():
    with cherrypy_app(decorated) as app:
        with app.connect("/by_decorator") as client:
            assert_answers(client, b"decorated")
        assert app.get("/off") == (200, b"a page")


class Introducing(Root):
    """Gives the handler what it needs, as programs do."""

    @cherrypy.expose
    def ws(self, name="anybody"):
        handler = cherrypy.request.ws_handler
        handler.user = name
        handler.introduce("page")


class Introduced(JournalledEcho):
    user = None

    def introduce(self, by) -> None:
        self.journal.write("introduced", self, by)

    def opened(self) -> None:
        super().opened()
        self.send(f"welcome {self.user}")


def test_attributes_that_the_page_handler_sets_are_there_in_opened():
    with (
        cherrypy_app(Introducing(), handler=Introduced) as app,
        app.connect("/ws?name=ann") as client,
    ):
        assert client.read_frame() == Frame(TEXT, b"welcome ann")
        assert app.journal.names()[:3] == ["made", "introduced", "opened"]
        client.say_goodbye()


class Visitor(JournalledEcho):
    """Uses the request it is made in."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.count = cherrypy.session["count"] = cherrypy.session.get("count", 0) + 1
        self.flavour = cherrypy.request.cookie["flavour"].value

    def opened(self) -> None:
        self.send(f"{self.flavour} {self.count}")


@pytest.mark.parametrize("sessions", ["/", "/ws", "behind"])
def test_session_and_cookies_in_the_constructor(sessions):
    config = {"/ws": {}, "/": {}}
    if sessions == "behind":
        # The tools are set up in this order.
        config["/ws"] = {"tools.websocket.on": True}
        sessions = "/ws"
    config[sessions]["tools.sessions.on"] = True
    # No thread that throws old sessions away: it would outlive the test.
    config[sessions]["tools.sessions.clean_freq"] = 0
    with cherrypy_app(config=config, handler=Visitor) as app:
        with app.client() as client:
            response = client.upgrade(cookie="flavour=mint")
            assert client.read_frame() == Frame(TEXT, b"mint 1")
            session = response.get("Set-Cookie").split(";")[0]
        with app.client() as client:
            client.upgrade(cookie=f"flavour=plum; {session}")
            assert client.read_frame() == Frame(TEXT, b"plum 2")


class Leaver(JournalledEcho):
    def closed(self, code, reason=None) -> None:
        self.journal.write("closed", self, dict(self.environ))


def test_the_environ_is_there_in_closed_and_gone_afterwards():
    with cherrypy_app(handler=Leaver) as app:
        with app.connect("/ws?room=7", x_mine="yes") as client:
            client.say_goodbye()
        wait_until(lambda: app.journal.count("closed"))
        (note,) = app.journal.all("closed")
        assert note.detail["QUERY_STRING"] == "room=7"
        assert note.detail["HTTP_X_MINE"] == "yes"
        wait_until(lambda: note.handler.environ is None)


@pytest.mark.parametrize("given", [0.05, "the handler's own"])
def test_heartbeat_freq_sends_pings(given):
    class Restless(JournalledEcho):
        def __init__(self, *args, **kwargs) -> None:
            kwargs["heartbeat_freq"] = kwargs["heartbeat_freq"] or 0.05
            super().__init__(*args, **kwargs)

    options = {} if isinstance(given, str) else {"tools.websocket.heartbeat_freq": given}
    handler = Restless if isinstance(given, str) else JournalledEcho
    with cherrypy_app(config={"/ws": options}, handler=handler) as app, app.connect() as client:
        received = client.read_frame()
        assert received.opcode == PING
        # Unanswered: the peer is as good as gone.
        while received.opcode == PING and not client.at_end_of_frames():
            received = client.read_frame()
        wait_until(lambda: app.journal.count("closed"))
        assert app.journal.all("closed")[0].detail[0] == 1006


class Greedy(WebSocket):
    """Ends its connection wherever it is told."""

    where = "opened"

    def opened(self) -> None:
        if self.where == "opened":
            self.close(4000, "enough")

    def received_message(self, message) -> None:
        if self.where == "message":
            self.close(4000, "enough")
        else:
            raise LookupError("a handler's own mistake")


@pytest.mark.parametrize("where", ["opened", "message"])
def test_a_handler_may_close_anywhere(where):
    handler = type("Handler", (Greedy,), {"where": where})
    config = {"/ws": {"tools.websocket.handler_cls": handler}}
    with cherrypy_app(config=config) as app:
        with app.connect(behind=frame(TEXT, b"x")) as client:
            assert client.read_frame() == Frame(CLOSE, b"\x0f\xa0enough")
            client.send(close_frame(4000))
            assert client.at_end()
        wait_until(lambda: len(app.manager) == 0)


def test_a_handler_that_raises_costs_its_own_connection_only():
    handler = type("Handler", (Greedy,), {"where": "nowhere"})
    with cherrypy_app(config={"/ws": {"tools.websocket.handler_cls": handler}}) as app:
        app.errors_expected = True
        with app.connect() as other, app.connect(behind=frame(TEXT, b"x")) as client:
            assert client.read_frame().close_code == 1011
            assert app.log.mentions("a handler's own mistake")
            assert other.say_goodbye().close_code == 1000


class Opening(JournalledEcho):
    def opened(self) -> None:
        super().opened()
        raise LookupError("a mistake while opening")


def test_a_handler_that_raises_in_opened_ends_with_1011_and_is_closed_once():
    with cherrypy_app(handler=Opening) as app:
        app.errors_expected = True
        with app.connect() as client:
            assert client.read_frame().close_code == 1011
            assert client.at_end()
        wait_until(lambda: app.journal.count("closed"))
        assert app.journal.count("closed") == 1


def test_sending_from_another_thread(app):
    with app.connect() as client:
        handler = app.journal.last("opened")
        threads = [
            threading.Thread(target=lambda: [handler.send("x" * 1000) for _ in range(100)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for _ in range(800):
            assert client.read_frame() == Frame(TEXT, b"x" * 1000)
        for thread in threads:
            thread.join()
        client.say_goodbye()
