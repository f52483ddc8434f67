"""Servers elsewhere than on IPv4: a Unix socket, IPv6."""

import os

import cherrypy
import pytest
from websockets.sync.client import connect

from tests.support.cherrypy_app import cherrypy_app, farewell, in_background
from tests.support.raw import TEXT, Frame, frame
from tests.support.waiting import wait_until


@pytest.fixture
def app(tmp_path):
    with cherrypy_app(socket_file=str(tmp_path / "server.sock")) as running:
        yield running


def test_it_echoes(app):
    with app.connect(behind=frame(TEXT, b"early")) as client:
        assert client.read_frame() == Frame(TEXT, b"early")
        handler = app.journal.last("opened")
        assert handler.local_address == app.address
        assert handler.peer_address == ""
        client.say_goodbye()
    assert app.get() == (200, b"hello")


def test_a_subscriber_is_given_what_is_known_of_the_peer(app):
    told = []
    cherrypy.engine.subscribe("handle-websocket", lambda _, peer: told.append(peer))
    with app.connect() as client:
        wait_until(lambda: told)
        client.say_goodbye()
    ((address, port),) = told
    assert (address, port) == ("", -1)


def test_it_stops_and_starts(app):
    for _ in range(2):
        clients = [app.connect() for _ in range(5)]
        wait_until(lambda: len(app.manager) == 5)
        with in_background(cherrypy.engine.stop):
            assert [farewell(client) for client in clients] == [1001] * 5
            for client in clients:
                client.sock.close()
        app.start()


def test_a_refusal_ends_the_connection(app):
    with app.client() as client:
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
