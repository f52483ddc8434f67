"""The setting ``check``: asked when the handshake is in order, before there is a handler."""

import hashlib
from http import HTTPStatus

import cherrypy
import pytest
from cherrypy.lib.auth_digest import get_ha1_dict_plain

from tests.support.cherrypy_app import JournalledEcho, Root, cherrypy_app
from tests.support.raw import TEXT, Frame, frame
from ws4py.exc import HandshakeError

_ALIVE = frame(TEXT, b"alive?")


def serving(check, **config):
    return cherrypy_app(config={"/ws": {"tools.websocket.check": check, **config}})


def refused(app, path="/ws", **changes):
    """A request that is refused: its answer, after which the connection has to end."""
    with app.client() as client:
        response = client.upgrade(path, _ALIVE, **changes)
        assert response.get("Connection") == "close"
        assert response.get("Sec-WebSocket-Accept") is None
        assert client.at_end()
    assert "made" not in app.journal.names()
    assert len(app.manager) == 0
    assert app.get() == (200, b"hello")
    return response, client.body


def test_who_is_let_in_is_served():
    seen = []
    with serving(seen.append) as app, app.connect(behind=_ALIVE) as client:
        assert client.read_frame() == Frame(TEXT, b"alive?")
        client.say_goodbye()
    assert seen[0]["PATH_INFO"] == "/ws"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 503, 599, HTTPStatus.GONE])
def test_a_status_refuses(status):
    with serving(lambda _: status) as app:
        assert refused(app)[0].status == status
        assert not app.log.tracebacks()
        assert app.log.mentions("Refused a handshake for '/ws'")


def test_a_status_and_a_reason():
    with serving(lambda _: (403, "not <b>you</b>")) as app:
        response, page = refused(app)
        assert response.status == 403
        assert b"not &lt;b&gt;you&lt;/b&gt;" in page


@pytest.mark.parametrize("status", [401, 302, 307])
def test_a_handshake_error_with_header_fields(status):
    def check(_):
        fields = [("Location", "https://example.org/login"), ("WWW-Authenticate", "Bearer")]
        raise HandshakeError("log in", status, fields)

    with serving(check) as app:
        response, page = refused(app)
        assert response.status == status
        assert response.get("Location") == "https://example.org/login"
        assert response.get("WWW-Authenticate") == "Bearer"
        assert b"log in" in page
        assert not app.log.tracebacks()


@pytest.mark.parametrize(
    "verdict", [True, False, 0, 101, 200, 302, 600, "403", "", (403,), (200, "x"), (403, b"x"), {}]
)
def test_what_is_no_answer_is_a_500_that_names_the_setting(verdict):
    with serving(lambda _: verdict) as app:
        assert refused(app)[0].status == 500
        assert app.log.mentions(f"check returned {verdict!r}")
        assert not app.log.tracebacks()


@pytest.mark.parametrize("status", [101, 200, 302, 600, "403", None])
def test_a_handshake_error_with_a_status_that_refuses_nothing(status):
    def check(_):
        raise HandshakeError("why", status)

    with serving(check) as app:
        assert refused(app)[0].status == 500
        assert app.log.mentions(f"check raised HandshakeError with status {status!r}")


def test_an_error_is_logged_once_and_is_nobodys_business():
    def check(_):
        raise LookupError("a check's own mistake")

    with serving(check) as app:
        app.errors_expected = True
        response, page = refused(app)
        assert response.status == 500
        assert b"own mistake" not in page
        assert len(app.log.tracebacks()) == 1
        assert "check raised" in app.log.tracebacks()[0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (lambda: cherrypy.HTTPError(418, "short and stout"), 418),
        (lambda: cherrypy.HTTPRedirect("/login"), 303),
        (cherrypy.NotFound, 404),
    ],
)
def test_cherrypys_own_errors_are_its_own_answers(error, status):
    def check(_):
        raise error()

    with serving(check) as app:
        response, _ = refused(app)
        assert response.status == status
        if status == 303:
            assert response.get("Location").endswith("/login")
        assert not app.log.tracebacks()


def test_a_page_from_within_instead():
    def check(_):
        raise cherrypy.InternalRedirect("/")

    with serving(check) as app, app.client() as client:
        assert client.upgrade().status == 200
        assert client.body == b"hello"
        assert app.journal.names() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://elsewhere.example"},
        {"sec_websocket_key": "short"},
        {"sec_websocket_version": "99"},
        {"upgrade": None},
        {"method": "POST", "content_length": "0"},
    ],
)
def test_nobody_is_asked_about_what_is_no_handshake(changes):
    asked = []
    with serving(asked.append) as app:
        refused(app, **changes)
    assert asked == []


def test_what_it_puts_into_the_environ_is_in_the_handlers():
    def check(environ):
        environ["example.user"] = "ann"

    with serving(check) as app, app.connect() as client:
        assert app.journal.last("opened").environ["example.user"] == "ann"
        client.say_goodbye()


def test_what_it_puts_into_the_response_goes_with_the_101():
    def check(_):
        cherrypy.response.cookie["seen"] = "yes"

    with serving(check) as app, app.client() as client:
        response = client.upgrade()
        assert response.status == 101
        assert response.get("Set-Cookie").startswith("seen=yes")
        client.say_goodbye()


# -- Sessions, and CherryPy's own tools ------------------------------------------


class Accounts(Root):
    @cherrypy.expose
    def login(self, user):
        cherrypy.session["user"] = user
        return "welcome"


_SESSIONS = {"tools.sessions.on": True, "tools.sessions.clean_freq": 0}


def log_in(app, user) -> str:
    """The session's cookie."""
    with app.client() as client:
        client.send(f"GET /login?user={user} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        response = client.read_response()
        assert response.status == 200
        return response.get("Set-Cookie").split(";")[0]


def test_the_session_decides():
    def check(_):
        return None if cherrypy.session.get("user") == "ann" else (401, "log in first")

    class Named(JournalledEcho):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.user = cherrypy.session["user"]

    config = {"/": _SESSIONS, "/ws": {"tools.websocket.check": check}}
    with cherrypy_app(Accounts(), config, handler=Named) as app:
        assert refused(app)[0].status == 401
        assert refused(app, cookie=log_in(app, "bob"))[0].status == 401
        cookie = log_in(app, "ann")
        for _ in range(2):
            # The session is not locked for as long as the connection lives.
            with app.connect(cookie=cookie, behind=_ALIVE) as client:
                assert client.read_frame() == Frame(TEXT, b"alive?")
                assert app.journal.last("opened").user == "ann"
                assert app.get() == (200, b"hello")
                client.say_goodbye()


def _md5(*parts) -> str:
    return hashlib.md5(":".join(parts).encode()).hexdigest()


def _digest(challenge, user, word) -> str:
    """The answer to a challenge (RFC 7616 section 3.4)."""
    nonce = challenge.split('nonce="')[1].split('"')[0]
    secret, request = _md5(user, "here", word), _md5("GET", "/ws")
    fields = {
        "username": user,
        "realm": "here",
        "nonce": nonce,
        "uri": "/ws",
        "cnonce": "abc",
        "nc": "00000001",
        "qop": "auth",
        "algorithm": "MD5",
        "response": _md5(secret, nonce, "00000001", "abc", "auth", request),
    }
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())


def test_a_digest_refuses_before_the_101():
    config = {
        "/ws": {
            "tools.auth_digest.on": True,
            "tools.auth_digest.realm": "here",
            "tools.auth_digest.get_ha1": get_ha1_dict_plain({"ann": "secret"}),
            "tools.auth_digest.key": "a565c27146791cfb",
            "tools.auth_digest.accept_charset": "UTF-8",
        }
    }
    with cherrypy_app(config=config) as app:
        with app.client() as client:
            response = client.upgrade(behind=_ALIVE)
            assert response.status == 401
            assert response.get("Sec-WebSocket-Accept") is None
            challenge = response.get("WWW-Authenticate")
            assert client.at_end()
        wrong = _digest(challenge, "ann", "guessed")
        with app.client() as client:
            assert client.upgrade(behind=_ALIVE, authorization=wrong).status == 401
            assert client.at_end()
        assert app.journal.count("opened") == 0
        right = _digest(challenge, "ann", "secret")
        with app.connect(behind=_ALIVE, authorization=right) as client:
            assert client.read_frame() == Frame(TEXT, b"alive?")
            client.say_goodbye()


@pytest.mark.parametrize("status", [401, 403])
def test_a_tool_of_ones_own_refuses_before_the_101(status):
    def refuse():
        if "example" not in cherrypy.request.headers.get("Cookie", ""):
            raise cherrypy.HTTPError(status)

    cherrypy.tools.example = cherrypy.Tool("before_handler", refuse)
    try:
        with cherrypy_app(config={"/ws": {"tools.example.on": True}}) as app:
            with app.client() as client:
                response = client.upgrade(behind=_ALIVE)
                assert response.status == status
                assert response.get("Connection") == "close"
                assert client.at_end()
            assert app.journal.count("opened") == 0
            with app.connect(behind=_ALIVE, cookie="example=1") as client:
                assert client.read_frame() == Frame(TEXT, b"alive?")
                client.say_goodbye()
    finally:
        del cherrypy.tools.example


@pytest.mark.parametrize(
    "changes", [{}, {"origin": "http://evil.example"}], ids=["asked", "judged"]
)
def test_a_path_cannot_forge_a_line_of_the_log(changes):
    with serving(lambda _: 403) as app:
        refused(app, "/ws/%0aERROR%20forged" + "x" * 1000, **changes)
        lines = [line for line in app.log.lines if "Refused a handshake" in line]
        assert len(lines) == 1
        assert r"for '/ws/\nERROR forgedx" in lines[0]
        assert len(lines[0]) < 500
