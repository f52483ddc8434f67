"""The WSGI application, called as a server calls it."""

import functools
import logging
import socket
import threading

import pytest

from tests.support.raw import TEXT, Frame, frame
from tests.support.serving import Peer
from tests.support.sockets import pair
from tests.support.waiting import wait_until
from tests.support.wsgi import call, environ_of
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.server import wsgiutils
from ws4py.server.wsgiutils import WebSocketWSGIApplication, serve_socket, take_made
from ws4py.websocket import EchoWebSocket, WebSocket


def ours(**changes):
    """As from a server of ours, which lets an application set hop-by-hop fields."""
    return {"ws4py.socket": None, "ws4py.made": [], **environ_of(**changes)}


@pytest.fixture
def manager():
    running = WebSocketManager()
    running.start()
    yield running
    running.stop()
    running.join()


@pytest.fixture
def taken(monkeypatch):
    """A server whose socket can be taken: its end and the client's."""
    with pair() as (sock, peer):
        monkeypatch.setattr(wsgiutils, "take_socket", lambda _environ: (sock, b""))
        client = Peer(peer)
        client.taken = sock
        yield client


# -- The contract of 0.6 ---------------------------------------------------------


def test_the_constructors_arguments_are_attributes():
    application = WebSocketWSGIApplication(["a"], ["x"], EchoWebSocket)
    assert application.protocols == ["a"]
    assert application.extensions == ["x"]
    assert application.handler_cls is EchoWebSocket


def test_the_defaults():
    application = WebSocketWSGIApplication()
    assert (application.protocols, application.extensions) == (None, None)
    assert application.handler_cls is WebSocket


def test_the_handler_is_left_in_the_environ():
    environ = ours()
    started, body = call(WebSocketWSGIApplication(["a", "b"], handler_cls=EchoWebSocket), environ)
    assert started.status == "101 Switching Protocols"
    assert body == b""
    websocket = environ["ws4py.websocket"]
    assert isinstance(websocket, EchoWebSocket)
    assert websocket.sock is None


def test_the_socket_reaches_the_handler():
    with pair() as (sock, _):
        environ = ours(**{"ws4py.socket": sock})
        call(WebSocketWSGIApplication(), environ)
        assert environ["ws4py.websocket"].sock is sock


def test_a_handler_without_socket_is_fed_by_its_program():
    """Nagare binds the transport later: it reads and writes itself."""
    written = []

    class Fed(EchoWebSocket):
        def _write(self, b):
            written.append(b)

    environ = ours()
    del environ["ws4py.made"]
    call(WebSocketWSGIApplication(handler_cls=Fed), environ)
    websocket = environ["ws4py.websocket"]
    data = frame(TEXT, b"x" * 3000)
    for start in range(0, len(data), 1024):
        assert websocket.process(data[start : start + 1024])
    assert b"".join(written) == frame(TEXT, b"x" * 3000, mask=False)


@pytest.mark.parametrize("kind", ["closure", "partial", "method"])
def test_the_handler_may_be_any_callable_with_four_arguments(kind):
    given = []

    class Program:
        def make(self, *arguments):
            given.append(arguments)
            return "handler"

    make = Program().make

    def closure(*arguments):
        return make(*arguments)

    handler = {
        "closure": closure,
        "partial": functools.partial(make),
        "method": make,
    }[kind]
    environ = ours(HTTP_SEC_WEBSOCKET_PROTOCOL="b, a")
    call(WebSocketWSGIApplication(["a"], handler_cls=handler), environ)
    sock, protocols, extensions, copied = given[0]
    assert (sock, protocols, extensions) == (None, ["a"], [])
    assert copied["PATH_INFO"] == "/ws"
    assert environ["ws4py.websocket"] == "handler"


def test_what_the_program_puts_into_the_environ_reaches_the_handler():
    user = object()
    environ = ours(**{"h.ws.authenticated_userid": user})
    call(WebSocketWSGIApplication(), environ)
    copied = environ["ws4py.websocket"].environ
    assert copied["h.ws.authenticated_userid"] is user
    assert copied is not environ


def test_make_websocket_can_be_overridden_to_pass_more():
    class Handler(WebSocket):
        def __init__(self, container, config, sock, protocols, extensions, environ):
            super().__init__(sock, protocols, extensions, environ)
            self.container, self.config = container, config

    class Application(WebSocketWSGIApplication):
        def make_websocket(self, sock, protocols, extensions, environ):
            environ.pop("ws4py.socket", None)
            websocket = self.handler_cls(self, "config", sock, protocols, extensions, environ)
            environ["ws4py.websocket"] = websocket
            return websocket

    application, environ = Application(handler_cls=Handler), ours()
    started, _ = call(application, environ)
    assert started.status.startswith("101")
    websocket = environ["ws4py.websocket"]
    assert (websocket.container, websocket.config) == (application, "config")


class OwnMaking(WebSocketWSGIApplication):
    """Makes its handlers without a word to its base class."""

    def make_websocket(self, sock, protocols, extensions, environ):
        websocket = self.handler_cls(sock, protocols, extensions, environ.copy())
        environ["ws4py.websocket"] = websocket
        return websocket


def assert_limited(client, size):
    client.send(frame(TEXT, b"x" * size) + frame(TEXT, b"x" * (size + 1)))
    assert client.read_frame() == Frame(TEXT, b"x" * size)
    refused = client.read_frame()
    assert refused.close_code == 1009
    assert b"max_message_size %d" % size in refused.payload


def test_settings_reach_handlers_that_a_program_makes_itself(manager):
    with pair() as (sock, peer):
        environ = ours(**{"ws4py.socket": sock})
        call(OwnMaking(handler_cls=EchoWebSocket, max_message_size=10), environ)
        manager.add(take_made(environ))
        assert_limited(Peer(peer), 10)


def test_settings_reach_them_on_a_taken_socket_too(manager, taken):
    application = OwnMaking(handler_cls=EchoWebSocket, max_message_size=10, manager=manager)
    call(application, environ_of())
    assert taken.read_response().status == 101
    assert_limited(taken, 10)


def test_a_server_finds_the_handler_behind_a_framework_that_copies_the_environ():
    environ = ours()
    call(WebSocketWSGIApplication(), dict(environ))
    assert "ws4py.websocket" not in environ
    assert isinstance(take_made(environ), WebSocket)
    assert "ws4py.made" not in environ


def test_a_server_takes_the_handler_once():
    environ = ours()
    call(WebSocketWSGIApplication(), environ)
    websocket = environ["ws4py.websocket"]
    assert take_made(environ) is websocket
    assert take_made(environ) is None


def test_the_handler_is_not_in_its_own_environ():
    environ = ours()
    call(WebSocketWSGIApplication(), environ)
    assert "ws4py.made" not in environ["ws4py.websocket"].environ


# -- Refusals --------------------------------------------------------------------

_REFUSALS = [
    ({"HTTP_SEC_WEBSOCKET_KEY": None}, "400 Bad Request"),
    ({"HTTP_CONNECTION": None}, "400 Bad Request"),
    ({"protocol": "HTTP/1.0"}, "400 Bad Request"),
    ({"protocol": "nonsense"}, "400 Bad Request"),
    ({"CONTENT_LENGTH": "5"}, "400 Bad Request"),
    ({"HTTP_ORIGIN": "https://elsewhere.example"}, "403 Forbidden"),
    ({"method": "POST"}, "405 Method Not Allowed"),
    ({"HTTP_UPGRADE": None}, "426 Upgrade Required"),
    ({"HTTP_SEC_WEBSOCKET_VERSION": "99"}, "426 Upgrade Required"),
]


@pytest.mark.parametrize(("changes", "status"), _REFUSALS, ids=str)
def test_a_refusal_is_an_answer(changes, status):
    started, body = call(WebSocketWSGIApplication(), ours(**changes))
    assert started.status == status
    assert started.get("Connection") == "close"
    assert int(started.get("Content-Length")) == len(body) > 0


@pytest.mark.parametrize(("changes", "status"), _REFUSALS, ids=str)
def test_a_refusal_under_a_server_we_do_not_know_keeps_to_pep_3333(changes, status):
    started, _ = call(WebSocketWSGIApplication(), environ_of(**changes))
    assert started.status == status
    assert started.get("Connection") is None
    assert started.get("Upgrade") is None


@pytest.mark.parametrize(("changes", "status"), _REFUSALS, ids=str)
def test_a_refusal_on_a_taken_socket_ends_the_connection(taken, changes, status):
    started, body = call(WebSocketWSGIApplication(), environ_of(**changes))
    assert started.status == status
    assert body == b""
    response = taken.read_response()
    assert response.status == int(status[:3])
    assert response.get("Connection") == "close"
    assert taken.body
    assert taken.at_end()
    assert taken.taken.fileno() == -1


def test_a_refusal_of_who_is_gone_is_no_error(taken):
    taken.reset()
    started, _ = call(WebSocketWSGIApplication(), environ_of(HTTP_SEC_WEBSOCKET_KEY=None))
    assert started.status.startswith("400")
    assert taken.taken.fileno() == -1


def test_a_bad_version_is_noted_in_the_environ():
    environ = ours(HTTP_SEC_WEBSOCKET_VERSION="99")
    call(WebSocketWSGIApplication(), environ)
    assert environ["websocket.version"] == "13"


@pytest.mark.parametrize("make", [ours, environ_of])
def test_old_programs_can_ask_for_the_exception(make):
    application = WebSocketWSGIApplication(raise_errors=True)
    with pytest.raises(HandshakeError):
        application(make(HTTP_UPGRADE=None), None)


def test_a_refusal_behind_lazy_middleware():
    application = WebSocketWSGIApplication()

    def lazy(environ, start_response):
        yield from application(environ, start_response)

    started, body = call(lazy, ours(HTTP_UPGRADE=None))
    assert started.status == "426 Upgrade Required"
    assert body


def test_which_pages_may_connect():
    environ = ours(HTTP_ORIGIN="https://friend.example")
    application = WebSocketWSGIApplication(origins=["https://friend.example"])
    assert call(application, environ)[0].status.startswith("101")


def test_an_origin_that_is_refused_is_told_to_the_programmer(caplog):
    with caplog.at_level(logging.WARNING, "ws4py"):
        call(WebSocketWSGIApplication(), ours(HTTP_ORIGIN="https://elsewhere.example"))
    assert "origins" in caplog.text


def test_the_versions_that_are_accepted():
    application = WebSocketWSGIApplication(version=(13,))
    assert call(application, ours(HTTP_SEC_WEBSOCKET_VERSION="8"))[0].status.startswith("426")


class Refusing(WebSocket):
    def __init__(self, *arguments):
        raise HandshakeError("the shop is closed", 503, [("Retry-After", "60")])


def test_the_handlers_constructor_may_refuse():
    started, body = call(WebSocketWSGIApplication(handler_cls=Refusing), ours())
    assert started.status == "503 Service Unavailable"
    assert started.get("Retry-After") == "60"
    assert body == b"the shop is closed\n"


def test_the_handlers_constructor_may_refuse_on_a_taken_socket(taken):
    call(WebSocketWSGIApplication(handler_cls=Refusing), environ_of())
    assert taken.read_response().status == 503
    assert taken.at_end()


def test_the_handlers_refusal_as_an_exception(taken):
    application = WebSocketWSGIApplication(handler_cls=Refusing, raise_errors=True)
    with pytest.raises(HandshakeError, match="shop"):
        application(environ_of(), None)
    assert taken.at_end()


def test_a_status_without_a_name():
    def refuse(*_):
        raise HandshakeError("odd", 499)

    assert call(WebSocketWSGIApplication(handler_cls=refuse), ours())[0].status.startswith("499")


# -- Taking the socket -----------------------------------------------------------


def test_a_taken_socket_is_answered_on_and_served(taken, manager):
    application = WebSocketWSGIApplication(handler_cls=EchoWebSocket, manager=manager)
    environ = environ_of()
    started, body = call(application, environ)
    # What the server then writes goes nowhere.
    assert (started.status, started.headers, body) == ("101 Switching Protocols", [], b"")
    assert "ws4py.websocket" not in environ
    response = taken.read_response()
    assert [name for name, _ in response.headers] == [
        "Upgrade",
        "Connection",
        "Sec-WebSocket-Accept",
    ]
    taken.send(frame(TEXT, b"hi"))
    assert taken.read_frame() == Frame(TEXT, b"hi")
    assert taken.say_goodbye().close_code == 1000
    taken.sock.close()


def test_what_was_read_behind_the_request_is_served(monkeypatch, manager):
    with pair() as (sock, peer):
        monkeypatch.setattr(wsgiutils, "take_socket", lambda _: (sock, frame(TEXT, b"early")))
        call(WebSocketWSGIApplication(handler_cls=EchoWebSocket, manager=manager), environ_of())
        client = Peer(peer)
        client.read_response()
        assert client.read_frame() == Frame(TEXT, b"early")
        client.say_goodbye()
        client.sock.close()


def test_a_handler_that_cannot_be_made_is_a_500(taken):
    def broken(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        WebSocketWSGIApplication(handler_cls=broken)(environ_of(), None)
    assert taken.read_response().status == 500
    assert taken.at_end()


def test_a_client_that_is_gone_before_the_101(taken, manager):
    opened = threading.Event()

    class Handler(WebSocket):
        def opened(self):
            opened.set()

    taken.taken.shutdown(socket.SHUT_WR)
    started, _ = call(WebSocketWSGIApplication(handler_cls=Handler, manager=manager), environ_of())
    assert started.status.startswith("101")
    assert taken.taken.fileno() == -1
    assert not opened.is_set()


def test_a_server_that_has_no_socket_to_give_is_named_with_those_that_have(caplog):
    started, body = call(WebSocketWSGIApplication(), environ_of(SERVER_SOFTWARE="waitress"))
    assert started.status == "501 Not Implemented"
    for text in (body.decode(), caplog.text):
        for able in ("cheroot", "gunicorn", "Werkzeug", "gevent", "wsgiref"):
            assert able in text
    assert "waitress" in caplog.text


def test_serving_a_socket_of_a_server_that_we_do_not_know(manager):
    with pair() as (sock, peer):
        serve_socket(EchoWebSocket(sock), frame(TEXT, b"first"), manager)
        client = Peer(peer)
        assert client.read_frame() == Frame(TEXT, b"first")
        client.say_goodbye()
        client.sock.close()
        wait_until(lambda: not len(manager))
