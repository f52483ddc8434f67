"""Which pages may connect, over http and https (RFC 6455 section 10.2)."""

import pytest

from tests.support.cherrypy_app import Root, cherrypy_app, tls_settings
from tests.support.raw import TEXT, Frame, frame

# {host} is the server's own, {port} its port.
_OWN = ["{scheme}://{host}", "{scheme}://LOCALHOST:{port}", None]
_OTHERS = [
    "{scheme}://evil.example",
    "{scheme}://localhost.evil.example:{port}",
    "{scheme}://localhost:{port}.evil.example",
    "{scheme}://evil-localhost:{port}",
    "{scheme}://localhost@evil.example",
    "{scheme}://localhost:{port}@evil.example:{port}",
    "{scheme}://evil.example#localhost:{port}",
    "{scheme}://evil.example/localhost:{port}",
    "{scheme}://localhost:{port}/",
    "{scheme}://localhost:1",
    "{scheme}://localhost",
    "{scheme}://127.0.0.1:{port}",
    "{other}://localhost:{port}",
    "file://localhost:{port}",
    "localhost:{port}",
    "//localhost:{port}",
    "null",
    "",
    "*",
    "{scheme}://",
    "{scheme}://local\thost:{port}",
    "{scheme}://{host} {scheme}://evil.example",
    "{scheme}://[::1",
    "{scheme}://localhost:99999",
]


@pytest.fixture(scope="module", params=["http", "https"])
def server(request):
    """A server, and what its own origin is made of."""
    tls = tls_settings("builtin") if request.param == "https" else {}
    paths = {
        "/ws": {},
        "/listed": {"tools.websocket.origins": ["https://good.example", "http://also.example:81"]},
        "/single": {"tools.websocket.origins": "https://good.example"},
        "/anybody": {"tools.websocket.origins": "*"},
        "/nobody": {"tools.websocket.origins": []},
    }
    root = Root()
    for path in paths:
        setattr(root, path.strip("/"), root.ws)
    config = {path: {"tools.websocket.on": True, **more} for path, more in paths.items()}
    with cherrypy_app(root, config, **tls) as app:
        yield app, request.param


def attempt(server, path, origin):
    """The status, and whether an echo came back."""
    app, scheme = server
    other = "https" if scheme == "http" else "http"
    if origin is not None:
        origin = origin.format(scheme=scheme, other=other, host=app.host, port=app.address[1])
    opened = app.journal.count("opened")
    with app.client() as client:
        response = client.upgrade(path, frame(TEXT, b"alive?"), host=app.host, origin=origin)
        if response.status == 101:
            assert client.read_frame() == Frame(TEXT, b"alive?")
            client.say_goodbye()
        else:
            assert response.get("Connection") == "close"
            assert client.at_end()
            assert app.journal.count("opened") == opened
        return response.status


def attempts(server, path, origins) -> dict:
    """The status by origin."""
    return {origin: attempt(server, path, origin) for origin in origins}


def test_pages_of_this_host_and_programs_without_origin_may(server):
    assert attempts(server, "/ws", _OWN) == dict.fromkeys(_OWN, 101)


def test_pages_of_others_may_not(server):
    assert attempts(server, "/ws", _OTHERS) == dict.fromkeys(_OTHERS, 403)


def test_a_list_lets_its_own_in(server):
    origins = [
        "https://good.example",
        "https://GOOD.example:443",
        "http://also.example:81",
        None,
    ]
    assert attempts(server, "/listed", origins) == dict.fromkeys(origins, 101)


def test_a_list_keeps_all_others_out(server):
    others = [*_OTHERS, "{scheme}://{host}", "http://good.example", "http://also.example"]
    assert attempts(server, "/listed", others) == dict.fromkeys(others, 403)


def test_one_origin_needs_no_list(server):
    assert attempt(server, "/single", "https://good.example") == 101
    assert attempt(server, "/single", "https://good.example.evil") == 403


def test_the_star_lets_everybody_in(server):
    everybody = [*_OTHERS, *_OWN]
    assert attempts(server, "/anybody", everybody) == dict.fromkeys(everybody, 101)


def test_an_empty_list_lets_no_page_in(server):
    pages = ["{scheme}://{host}", "https://good.example", "*"]
    assert attempts(server, "/nobody", pages) == dict.fromkeys(pages, 403)


def test_the_log_names_the_setting(server):
    assert attempt(server, "/ws", "http://evil.example") == 403
    assert server[0].log.mentions("WARNING ws4py Refused a handshake for '/ws': Origin")
    assert server[0].log.mentions("'origins'")
