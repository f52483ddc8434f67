"""Who may come in through the WSGI application: the program's check, and whose manager is asked."""

import contextlib
import logging
import pathlib
import re

import pytest
from gevent.event import Event

from tests.support import gevent_app, hub_thread, wsgiref_thread
from tests.support.raw import TEXT, Frame, frame, request
from tests.support.waiting import wait_until
from tests.support.wsgi import Started, call, environ_of
from ws4py.exc import HandshakeError
from ws4py.manager import WebSocketManager
from ws4py.server import _default_manager, geventserver, wsgirefserver
from ws4py.server._admission import ask_manager, ask_program, is_redirect
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket

_ALIVE = frame(TEXT, b"alive?")


def verdict_of(check, **changes):
    """The refusal; ``None`` where the program lets the request in."""
    try:
        ask_program(check, environ_of(**changes))
    except HandshakeError as error:
        return error
    return None


def raising(error):
    def check(_):
        raise error

    return check


# -- What the program may say ----------------------------------------------------


def test_who_is_not_asked_about_comes_in():
    assert verdict_of(None) is None
    assert verdict_of(lambda _: None) is None


def test_a_status_has_its_usual_words():
    error = verdict_of(lambda _: 403)
    assert (error.status, error.msg, error.headers) == (403, "Forbidden", [])
    assert verdict_of(lambda _: 499).msg == "refused"


def test_a_reason_of_ones_own():
    assert verdict_of(lambda _: (429, "not so fast")).msg == "not so fast"
    assert verdict_of(lambda _: (429, "")).msg == "Too Many Requests"


@pytest.mark.parametrize("said", [True, False, 0, 200, 399, 600, "403", [403, "x"], (403, None)])
def test_what_is_no_answer(said, caplog):
    assert verdict_of(lambda _: said).status == 500
    assert f"check returned {said!r}" in caplog.text


def test_an_error_of_the_servers_own_family_passes():
    with pytest.raises(LookupError):
        ask_program(raising(LookupError()), environ_of(), (LookupError,))


def test_an_error_of_the_program_is_logged_and_refuses(caplog):
    assert verdict_of(raising(LookupError("mine"))).status == 500
    assert caplog.text.count("Traceback") == 1
    assert "check raised" in caplog.text


def test_that_the_program_is_to_end_is_no_refusal():
    with pytest.raises(SystemExit):
        verdict_of(raising(SystemExit(3)))


def test_a_redirect_has_to_say_where():
    there = HandshakeError("there", 307, [("location", "/login")])
    assert is_redirect(there)
    assert verdict_of(raising(there)) is there
    assert verdict_of(raising(HandshakeError("somewhere", 307))).status == 500
    assert not is_redirect(HandshakeError("no", 401, [("Location", "/login")]))


@pytest.mark.parametrize(
    "fields",
    [
        [("X-Said", "a\r\nSet-Cookie: b")],
        [("X\nY", "a")],
        [("Retry-After", 10)],
        [("X", "\u20ac")],
        ["Retry-After"],
        [None],
    ],
)
def test_header_fields_that_are_none(fields, caplog):
    assert verdict_of(raising(HandshakeError("no", 403, fields))).status == 500
    assert "header fields that are none" in caplog.text


# -- Whose manager is asked ------------------------------------------------------


class Full:
    """A manager with no room for anybody."""

    asked = ()

    def admit(self, address):
        self.asked = (*self.asked, address)
        raise HandshakeError("full", 503)


def test_a_manager_is_asked_by_the_clients_address():
    manager = Full()
    for environ in ({"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": ""}, {}):
        with pytest.raises(HandshakeError):
            ask_manager(manager, environ)
    assert manager.asked == ("192.0.2.1", None, None)


def test_who_knows_no_limits_is_not_asked():
    ask_manager(None, {})
    ask_manager(object(), {})


def test_the_applications_own_manager():
    response, body = call(WebSocketWSGIApplication(manager=Full()), environ_of())
    assert response.status == "503 Service Unavailable"
    assert body == b"full\n"


def test_the_manager_of_a_server_that_knows_ws4py():
    environ = environ_of(**{"ws4py.socket": object(), "ws4py.manager": Full()})
    response, _ = call(WebSocketWSGIApplication(), environ)
    assert response.status == "503 Service Unavailable"
    # The application's own would not serve it.
    environ = environ_of(**{"ws4py.socket": object()})
    response, _ = call(WebSocketWSGIApplication(manager=Full()), environ)
    assert response.status.startswith("101")


def test_a_handler_does_not_keep_its_servers_manager():
    environ = environ_of(**{"ws4py.socket": object(), "ws4py.manager": object()})
    call(WebSocketWSGIApplication(), environ)
    assert "ws4py.manager" not in environ["ws4py.websocket"].environ


def test_the_managers_of_the_process_is_asked_and_not_made(monkeypatch):
    # A server that cannot hand over a socket has no use for one.
    assert call(WebSocketWSGIApplication(), environ_of())[0].status.startswith("501")
    assert _default_manager.made_manager() is None
    monkeypatch.setattr(_default_manager._own, "manager", Full())
    assert call(WebSocketWSGIApplication(), environ_of())[0].status.startswith("503")


def test_the_program_is_not_asked_where_there_is_no_room():
    asked = []
    application = WebSocketWSGIApplication(manager=Full(), check=asked.append)
    call(application, environ_of())
    call(application, environ_of(HTTP_SEC_WEBSOCKET_KEY="short"))
    assert asked == []


def test_old_programs_that_ask_for_the_exception():
    application = WebSocketWSGIApplication(check=lambda _: 403, raise_errors=True)
    with pytest.raises(HandshakeError) as refused:
        application(environ_of(), Started())
    assert refused.value.status == 403


# -- Real servers ----------------------------------------------------------------


@contextlib.contextmanager
def wsgiref(application, tls):
    with wsgiref_thread.serving(application, tls=tls) as served:
        served.server.initialize_websockets_manager()
        served.set_limit = lambda most: setattr(served.server.manager, "max_connections", most)
        served.books = served.server.manager.websockets
        yield served


@contextlib.contextmanager
def gevent(application, tls):
    with hub_thread.serving(geventserver.WSGIServer, application, tls=tls) as served:
        served.set_limit = lambda most: setattr(served.server.websockets, "size", most)
        served.books = served.server.websockets.websockets
        yield served


@pytest.fixture(params=[wsgiref, gevent], ids=["wsgiref", "gevent"])
def server(request, monkeypatch):
    handler = wsgirefserver.WebSocketWSGIRequestHandler
    monkeypatch.setattr(handler, "log_message", lambda *_: None)
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def tls(request):
    return request.param


def refused(served, **changes):
    with served.client() as client:
        response = client.upgrade("/ws", _ALIVE, **changes)
        assert response.get("Connection") == "close"
        assert response.get("Sec-WebSocket-Accept") is None
        assert client.at_end()
    assert not served.books
    assert served.get() == b"hello"
    return response


def documented():
    """What the example in the documentation defines."""
    text = (pathlib.Path(__file__).parents[2] / "docs" / "security.md").read_text()
    defined = {}
    exec(re.search(r"```python\n(import secrets.*?)```", text, re.DOTALL)[1], defined)
    return defined


def test_the_check_by_token_of_the_documentation(server, tls):
    log = gevent_app.Log()
    example = documented()
    application = gevent_app.application_of(EchoWebSocket, log, check=example["check"])
    with server(application, tls) as served:
        assert refused(served).status == 401
        assert log.handlers == []
        path = "/ws?token=" + example["issue"]("ann")
        with served.connect(_ALIVE, path) as client:
            assert client.read_frame() == Frame(TEXT, b"alive?")
            assert log.handlers[0].environ["example.user"] == "ann"
            client.say_goodbye()
        wait_until(lambda: not served.books)
        with served.client() as again:
            assert again.upgrade(path).status == 401


def test_the_documented_tokens_do_not_live_long():
    example = documented()
    old = example["issue"]("ann")
    example["tokens"][old] = "ann", 0.0
    assert verdict_of(example["check"], QUERY_STRING=f"token={old}").status == 401
    example["tokens"][old] = "ann", 0.0
    new = example["issue"]("ann")
    assert list(example["tokens"]) == [new]
    assert verdict_of(example["check"], QUERY_STRING=f"token={new}") is None


def test_a_check_that_fails(server, tls, caplog, capfd):
    check = raising(LookupError("mine"))
    with server(gevent_app.application_of(EchoWebSocket, check=check), tls) as served:
        assert refused(served).status == 500
    assert caplog.text.count("Traceback") == 1
    assert "Traceback" not in capfd.readouterr().err


def test_a_check_that_redirects(server, tls):
    check = raising(HandshakeError("there", 302, [("Location", "/login")]))
    with server(gevent_app.application_of(EchoWebSocket, check=check), tls) as served:
        response = refused(served)
        assert (response.status, response.get("Location")) == (302, "/login")


def test_a_check_may_wait_cooperatively_under_gevent():
    entered = []

    def check(_):
        entered.append(Event())
        entered[0].wait()

    application = gevent_app.application_of(EchoWebSocket, check=check)
    with (
        hub_thread.serving(geventserver.WSGIServer, application) as served,
        served.client() as client,
    ):
        client.send(request() + _ALIVE)
        wait_until(lambda: entered)
        assert served.get() == b"hello"
        served.hub.call(entered[0].set)
        assert client.read_response().status == 101
        assert client.read_frame() == Frame(TEXT, b"alive?")


def test_no_room(server, tls):
    with server(gevent_app.application_of(EchoWebSocket), tls) as served:
        served.set_limit(1)
        with served.connect(_ALIVE) as first:
            assert first.read_frame() == Frame(TEXT, b"alive?")
            for _ in range(3):
                with served.client() as client:
                    response = client.upgrade("/ws", _ALIVE)
                    assert response.status == 503
                    assert response.get("Retry-After") == "10"
                    assert b"1 is reached" in client.body
                    assert client.at_end()
            first.say_goodbye()
        wait_until(lambda: not served.books)
        with served.connect(_ALIVE) as client:
            assert client.read_frame() == Frame(TEXT, b"alive?")


def test_the_keys_are_gone_when_the_application_has_returned(server):
    environs = []
    inner = gevent_app.application_of(EchoWebSocket)

    def application(environ, start_response):
        environs.append((environ, environ.get("ws4py.manager")))
        return inner(environ, start_response)

    with server(application, False) as served:
        with served.connect() as client:
            client.say_goodbye()
        environ, manager = environs[0]
        assert hasattr(manager, "admit")
        wait_until(lambda: "ws4py.manager" not in environ)


def test_a_manager_of_the_programs_own_on_wsgiref(monkeypatch):
    monkeypatch.setattr(wsgirefserver.WebSocketWSGIRequestHandler, "log_message", lambda *_: None)
    application = gevent_app.application_of(EchoWebSocket)
    with wsgiref_thread.serving(application) as served:
        served.server.manager = WebSocketManager(max_connections_per_address=1)
        served.server.manager.start()
        with served.connect(_ALIVE) as first:
            assert first.read_frame() == Frame(TEXT, b"alive?")
            with served.client() as second:
                assert second.upgrade("/ws").status == 503
                assert b"max_connections_per_address 1" in second.body


@pytest.mark.parametrize(
    "changes", [{}, {"origin": "http://evil.example"}], ids=["asked", "judged"]
)
def test_a_path_cannot_forge_a_line_of_the_log(server, changes, caplog):
    application = WebSocketWSGIApplication(check=lambda _: 403)
    with caplog.at_level(logging.INFO, "ws4py"), server(application, False) as served:
        with served.client() as client:
            path = "/%0aERROR%20forged%0d" + "x" * 1000
            assert client.upgrade(path, **changes).status == 403
        lines = [each for each in caplog.messages if "Refused a handshake" in each]
    assert len(lines) == 1
    assert r"for '/\nERROR forged\rx" in lines[0]
    assert len(lines[0]) < 500
