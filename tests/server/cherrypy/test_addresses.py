"""Servers elsewhere than on IPv4: a Unix socket, IPv6, behind a proxy, below a path."""

import os

import cherrypy
import pytest
from websockets.sync.client import connect

from tests.support.cherrypy_app import Root, cherrypy_app, farewell, in_background
from tests.support.raw import TEXT, Frame, frame
from tests.support.waiting import wait_until
from ws4py._transport import address_of


@pytest.fixture
def local(tmp_path):
    """A server on a Unix socket."""
    with cherrypy_app(socket_file=str(tmp_path / "server.sock")) as running:
        yield running


def test_a_unix_socket_echoes(local):
    with local.connect(behind=frame(TEXT, b"early")) as client:
        assert client.read_frame() == Frame(TEXT, b"early")
        handler = local.journal.last("opened")
        assert handler.local_address == local.address
        assert handler.peer_address == ""
        client.say_goodbye()
    assert local.get() == (200, b"hello")


def test_a_subscriber_is_given_what_is_known_of_the_peer(local):
    told = []
    cherrypy.engine.subscribe("handle-websocket", lambda _, peer: told.append(peer))
    with local.connect() as client:
        wait_until(lambda: told)
        client.say_goodbye()
    ((address, port),) = told
    assert (address, port) == ("", -1)


def test_a_unix_socket_stops_and_starts(local):
    for _ in range(2):
        clients = [local.connect() for _ in range(5)]
        wait_until(lambda: len(local.manager) == 5)
        with in_background(cherrypy.engine.stop):
            assert [farewell(client) for client in clients] == [1001] * 5
            for client in clients:
                client.sock.close()
        local.start()


def test_a_refusal_ends_the_connection(local):
    with local.client() as client:
        assert client.upgrade(behind=frame(TEXT, b"x"), sec_websocket_key="short").status == 400
        assert client.at_end()


def test_who_the_peer_is_can_be_known(tmp_path):
    path = str(tmp_path / "server.sock")
    with cherrypy_app(socket_file=path, peercreds=True) as app, app.connect() as client:
        assert app.journal.last("opened").environ["X_REMOTE_PID"] == str(os.getpid())
        client.say_goodbye()


def test_ipv6():
    with cherrypy_app(socket_host="::1") as app:
        port = app.address[1]
        with connect(f"ws://[::1]:{port}/ws", origin=f"http://[::1]:{port}") as client:
            client.send("hello")
            assert client.recv() == "hello"
            handler = app.journal.last("opened")
            assert handler.local_address == ("::1", port)
            assert handler.peer_address == client.local_address[:2]


def test_the_kernel_is_not_asked_again_who_the_peer_is(app, monkeypatch):
    asked = []

    def ask(sock, method):
        asked.append(method)
        return address_of(sock, method)

    monkeypatch.setattr("ws4py._connected.address_of", ask)
    with app.connect() as client:
        handler = app.journal.last("opened")
        assert handler.peer_address == client.sock.getsockname()
        client.say_goodbye()
    assert "getpeername" not in asked


def test_behind_a_proxy_the_public_name_is_what_pages_have_to_come_from():
    public = {"x_forwarded_host": "public.example", "x_forwarded_proto": "https"}
    with cherrypy_app(config={"/": {"tools.proxy.on": True}}) as app:
        with app.connect(origin="https://public.example", **public) as client:
            client.say_goodbye()
        for other in ("http://public.example", "https://localhost", f"http://{app.host}"):
            with app.client() as client:
                assert client.upgrade(origin=other, **public).status == 403


class Resource:
    """A page for the dispatcher that goes by methods."""

    exposed = True

    def GET(self):  # noqa: N802 - the dispatcher's rule
        """The page behind the upgrade."""


def test_with_the_dispatcher_that_goes_by_methods():
    root = Resource()
    root.ws = Resource()
    config = {"/": {"request.dispatch": cherrypy.dispatch.MethodDispatcher()}}
    with cherrypy_app(root, config) as app, app.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.read_frame() == Frame(TEXT, b"hi")
        client.say_goodbye()


def test_an_application_below_a_path(app):
    config = {"/ws": {"tools.websocket.on": True, "tools.websocket.origins": "*"}}
    cherrypy.tree.mount(Root(), "/below", config)
    with app.connect("/below/ws") as client:
        assert client.say_goodbye().close_code == 1000
