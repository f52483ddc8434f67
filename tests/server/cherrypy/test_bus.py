"""The bus channels, and plugins as programs write them."""

import cherrypy
import pytest

from tests.support.cherrypy_app import JournalledEcho, cherrypy_app, in_background
from tests.support.raw import BINARY, CLOSE, TEXT, Frame, frame
from tests.support.waiting import wait_until
from ws4py.manager import SelectPoller, WebSocketManager
from ws4py.messaging import BinaryMessage, TextMessage
from ws4py.server.cherrypyserver import WebSocketPlugin
from ws4py.websocket import WebSocket


def serving(app, count) -> list:
    """Clients that the manager serves already."""
    clients = [app.connect() for _ in range(count)]
    wait_until(lambda: len(app.manager) == count)
    return clients


def close_all(clients) -> None:
    for client in clients:
        client.sock.close()


def test_a_subscriber_is_told_of_each_websocket(app):
    told = []
    cherrypy.engine.subscribe("handle-websocket", lambda *found: told.append(found))
    with app.connect() as client:
        wait_until(lambda: told)
        ((handler, peer),) = told
        assert handler is app.journal.last("opened")
        assert peer == client.sock.getsockname()


def test_a_subscriber_may_take_the_place_of_the_plugin():
    with cherrypy_app(plugin=None) as app:
        manager = WebSocketManager()
        manager.start()
        cherrypy.engine.subscribe("handle-websocket", lambda handler, _: manager.add(handler))
        with app.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
            client.say_goodbye()
        manager.stop()
        manager.join()


def test_without_a_plugin_the_connection_ends_and_the_log_says_why():
    with cherrypy_app(plugin=None) as app, app.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.at_end()
        assert app.log.mentions("WebSocketPlugin(cherrypy.engine).subscribe() is missing")
        assert app.journal.count("opened") == 0
        assert app.get() == (200, b"hello")


@pytest.mark.parametrize("priority", [10, 90])
def test_a_subscriber_that_raises_costs_this_connection_only(app, priority):
    def fail(*_):
        raise LookupError("a subscriber's own mistake")

    app.errors_expected = True
    (other,) = serving(app, 1)
    cherrypy.engine.subscribe("handle-websocket", fail, priority=priority)
    with app.client() as client:
        assert client.upgrade().status == 101
        assert client.at_end()
    wait_until(lambda: len(app.manager) == 1)
    wait_until(lambda: app.journal.count("opened") - app.journal.count("closed") == 1)
    assert app.log.mentions("a subscriber's own mistake")
    other.say_goodbye()
    close_all([other])


def test_a_subscriber_that_raises_without_any_plugin_leaves_nothing():
    def fail(*_):
        raise LookupError("a subscriber's own mistake")

    with cherrypy_app(plugin=None) as app:
        app.errors_expected = True
        cherrypy.engine.subscribe("handle-websocket", fail)
        with app.client() as client:
            assert client.upgrade().status == 101
            assert client.at_end()
        assert app.journal.names() == ["made"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("text",), Frame(TEXT, b"text")),
        (("text", False), Frame(TEXT, b"text")),
        ((b"bytes",), Frame(TEXT, b"bytes")),
        ((b"\xff", True), Frame(BINARY, b"\xff")),
        ((TextMessage("message"),), Frame(TEXT, b"message")),
        ((BinaryMessage(b"\xfe"),), Frame(BINARY, b"\xfe")),
    ],
)
def test_a_broadcast_on_the_bus_reaches_everybody(app, arguments, expected):
    clients = serving(app, 3)
    cherrypy.engine.publish("websocket-broadcast", *arguments)
    for client in clients:
        assert client.read_frame() == expected
    close_all(clients)


def test_a_received_message_can_be_broadcast_as_it_is():
    class Relay(JournalledEcho):
        def received_message(self, message) -> None:
            cherrypy.engine.publish("websocket-broadcast", message)

    with cherrypy_app(handler=Relay) as app:
        clients = serving(app, 3)
        clients[0].send(frame(BINARY, b"\x00\x01"))
        for client in clients:
            assert client.read_frame() == Frame(BINARY, b"\x00\x01")
        close_all(clients)


def test_a_broadcast_in_opened_does_not_reach_the_newcomer():
    class Announced(JournalledEcho):
        def opened(self) -> None:
            super().opened()
            cherrypy.engine.publish("websocket-broadcast", "somebody came")

    with cherrypy_app(handler=Announced) as app:
        (first,) = serving(app, 1)
        second = app.connect()
        assert first.read_frame() == Frame(TEXT, b"somebody came")
        second.send(frame(TEXT, b"hi"))
        assert second.read_frame() == Frame(TEXT, b"hi")
        close_all([first, second])


class ChatPlugin(WebSocketPlugin):
    """The recipe of countless programs: a registry behind three channels."""

    def __init__(self, bus) -> None:
        WebSocketPlugin.__init__(self, bus)
        self.clients = {}

    def start(self) -> None:
        WebSocketPlugin.start(self)
        self.bus.subscribe("add-client", self.add_client)
        self.bus.subscribe("get-client", self.get_client)
        self.bus.subscribe("del-client", self.del_client)

    def stop(self) -> None:
        WebSocketPlugin.stop(self)
        self.bus.unsubscribe("add-client", self.add_client)
        self.bus.unsubscribe("get-client", self.get_client)
        self.bus.unsubscribe("del-client", self.del_client)

    def add_client(self, name, websocket) -> None:
        self.clients[name] = websocket

    def get_client(self, name):
        return self.clients[name]

    def del_client(self, name) -> None:
        del self.clients[name]


class ChatHandler(JournalledEcho):
    def opened(self) -> None:
        self.name = self.environ["QUERY_STRING"]
        cherrypy.engine.publish("add-client", self.name, self)
        super().opened()

    def received_message(self, message) -> None:
        cherrypy.engine.publish("get-client", str(message)).pop().send(f"{self.name} calls")

    def closed(self, code, reason=None) -> None:
        cherrypy.engine.publish("del-client", self.name)
        super().closed(code, reason)


def test_the_recipe_of_a_registry():
    with cherrypy_app(plugin=ChatPlugin, handler=ChatHandler) as app:
        for _ in range(2):
            ann, bob = app.connect("/ws?ann"), app.connect("/ws?bob")
            wait_until(lambda: len(app.manager) == 2)
            ann.send(frame(TEXT, b"bob"))
            assert bob.read_frame() == Frame(TEXT, b"ann calls")
            with in_background(cherrypy.engine.stop):
                for client in (ann, bob):
                    assert client.read_frame().close_code == 1001
                    client.sock.close()
            assert app.plugin.clients == {}
            app.start()


def test_a_plugin_of_ones_own_starts_when_ours_does():
    plugin = ChatPlugin(cherrypy.engine)
    plugin.subscribe()
    try:
        assert cherrypy.engine._priorities["start", plugin.start] == WebSocketPlugin.start.priority
    finally:
        plugin.unsubscribe()


def test_the_priorities_can_be_assigned(monkeypatch):
    monkeypatch.setattr(WebSocketPlugin.start, "priority", 68)
    plugin = WebSocketPlugin(cherrypy.engine)
    plugin.subscribe()
    try:
        assert cherrypy.engine._priorities["start", plugin.start] == 68
    finally:
        plugin.unsubscribe()


def test_the_manager_is_behind_a_daemons_fork_and_before_the_server():
    assert 65 < WebSocketPlugin.start.priority < 75
    assert WebSocketPlugin.refuse.priority < 25 < WebSocketPlugin.cleanup.priority
    assert WebSocketPlugin.cleanup.priority < WebSocketPlugin.stop.priority


def test_the_manager_and_its_poller_can_be_replaced():
    class Own(WebSocketPlugin):
        def __init__(self, bus) -> None:
            super().__init__(bus)
            self.manager = WebSocketManager()
            self.manager.poller = SelectPoller()

    with cherrypy_app(plugin=Own) as app, app.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.read_frame() == Frame(TEXT, b"hi")
        client.say_goodbye()


def test_nothing_is_left_on_the_bus_after_the_stop(app):
    cherrypy.engine.stop()
    for channel in ("handle-websocket", "websocket-broadcast"):
        assert not cherrypy.engine.listeners[channel]
    assert not {app.plugin.refuse, app.plugin.cleanup} & cherrypy.engine.listeners["stop"]
    assert cherrypy.engine.publish("websocket-broadcast", "to nobody") == []


class Foreign:
    """No websocket of ours: reads and writes its socket itself."""

    def __init__(self, sock, protocols, extensions, environ, heartbeat_freq=None) -> None:
        self.sock = sock
        self.terminated = False
        self.sock.settimeout(1)

    def opened(self) -> None:
        self.sock.sendall(b"\x81\x05hello")

    def once(self) -> bool:
        return bool(self.sock.recv(1000))

    def close(self, code=1000, reason="") -> None:
        self.sock.sendall(b"\x88\x02" + code.to_bytes(2, "big"))

    def send(self, payload, binary=False) -> None:
        """Nothing to say."""

    def terminate(self) -> None:
        self.terminated = True
        self.sock.close()


def test_a_handler_that_is_no_websocket_of_ours():
    assert not issubclass(Foreign, WebSocket)
    config = {"/ws": {"tools.websocket.handler_cls": Foreign}}
    with cherrypy_app(config=config) as app:
        with app.connect() as client:
            assert client.read_frame() == Frame(TEXT, b"hello")
            app.plugin.refuse()
            assert client.read_frame() == Frame(CLOSE, b"\x03\xe9")
        wait_until(lambda: len(app.manager) == 0)
