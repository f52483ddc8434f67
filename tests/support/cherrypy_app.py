"""A real CherryPy in the test's own process: its engine, an HTTP server on a free port, a tree.

CherryPy's engine is one for the process, so everything a test changes in it is put
back afterwards, and nothing keeps running.
"""

import atexit
import contextlib
import logging
import threading
import warnings
from typing import NamedTuple

import cherrypy
from cherrypy._cpserver import Server

from tests.support.raw import CLOSE, RawClient, close_frame
from tests.support.tls import certificates
from tests.support.waiting import DEADLINE, wait_until
from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool
from ws4py.websocket import EchoWebSocket

#: How soon cheroot notices that it shall stop; its own half a second is a person's scale.
_EXPIRATION_INTERVAL = 0.05
_LOGGERS = ("cherrypy", "ws4py")


class Note(NamedTuple):
    """Something a handler was told."""

    name: str
    handler: object
    detail: object = None


class Journal:
    """What the handlers of an application were told, in order, on whatever thread."""

    def __init__(self) -> None:
        self._notes = []

    def write(self, name, handler, detail=None) -> None:
        # Appending to a list is atomic.
        self._notes.append(Note(name, handler, detail))

    def names(self) -> list:
        return [note.name for note in list(self._notes)]

    def all(self, name) -> list:
        return [note for note in list(self._notes) if note.name == name]

    def count(self, name) -> int:
        return len(self.all(name))

    def last(self, name):
        """The handler that was told this last, once one has been."""
        wait_until(lambda: self.count(name))
        return self.all(name)[-1].handler


class JournalledEcho(EchoWebSocket):
    """Echoes, and writes every callback down. ``journal`` is set by the application."""

    journal: Journal

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.journal.write("made", self, threading.current_thread().name)

    def opened(self) -> None:
        self.journal.write("opened", self, threading.current_thread().name)

    def received_message(self, message) -> None:
        self.journal.write("message", self, message.data)
        super().received_message(message)

    def closed(self, code, reason=None) -> None:
        self.journal.write("closed", self, (code, reason))


class Log(logging.Handler):
    """What CherryPy and ws4py logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines = []

    def emit(self, record) -> None:
        self.lines.append(self.format(record))

    def tracebacks(self) -> list:
        # Those of debugging are for who asks for them, such as of a peer that is gone.
        found = [line for line in list(self.lines) if "Traceback" in line]
        return [line for line in found if not line.startswith("DEBUG")]

    def mentions(self, text) -> bool:
        return any(text in line for line in list(self.lines))


class Root:
    """The pages every application has; tests mount their own beside them."""

    @cherrypy.expose
    def index(self):
        return "hello"

    @cherrypy.expose
    def ws(self, **query):
        """The page behind the upgrade."""


class App:
    """A running application."""

    def __init__(self, server, plugin, journal, log, tls) -> None:
        self.server = server
        self.plugin = plugin
        self.journal = journal
        self.log = log
        self.tls = tls
        #: Set it in a test whose purpose is an error, which then may be logged.
        self.errors_expected = False

    @property
    def manager(self):
        return self.plugin.manager

    @property
    def address(self):
        return self.server.bound_addr if self.server.socket_file is None else self.server.bind_addr

    @property
    def host(self) -> str:
        """What a client puts into its Host header."""
        return f"localhost:{self.address[1]}"

    def start(self) -> None:
        """Start the engine, on another port than before.

        cheroot sets SO_REUSEADDR only for a port that was asked for, so one that was
        found would not be free again while its old connections are remembered.
        """
        if self.server.socket_file is None:
            self.server.httpserver.bind_addr = (self.server.socket_host, 0)
        with warnings.catch_warnings():
            # Between cheroot and pyOpenSSL, and nothing that we could change.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cheroot\.ssl\.")
            cherrypy.engine.start()

    def client(self) -> RawClient:
        """A connection, nothing sent yet."""
        return RawClient(self.address, self.tls)

    def connect(self, path="/ws", behind=b"", **changes) -> RawClient:
        """An upgraded connection."""
        client = self.client()
        try:
            response = client.upgrade(path, behind, **changes)
            assert response.status == 101, client.body
        except BaseException:
            client.sock.close()
            raise
        return client

    def get(self, path="/"):
        """An ordinary request on a connection of its own; status and body."""
        with self.client() as client:
            client.send(get(path, connection="close"))
            response = client.read_response()
            return response.status, client.body


def get(path="/", connection=None) -> bytes:
    """An ordinary GET request."""
    extra = f"Connection: {connection}\r\n" if connection else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode()


def farewell(client):
    """Read to the server's goodbye and answer it; its close code, ``None`` without one."""
    try:
        while (received := client.read_frame()).opcode != CLOSE:
            pass
        client.send(close_frame(received.close_code))
        assert client.at_end()
    except (EOFError, ConnectionError):
        return None
    return received.close_code


@contextlib.contextmanager
def in_background(call):
    """Make a call that takes a while, such as the engine's stop, on a thread of its own."""
    thread = threading.Thread(target=call, name="test")
    thread.start()
    try:
        yield thread
    finally:
        thread.join(DEADLINE)
    assert not thread.is_alive(), f"never returned: {call}"


def tls_settings(module) -> dict:
    """What :func:`cherrypy_app` needs to serve TLS with one of cheroot's modules."""
    known = certificates()
    return {
        "tls": known.client_context(),
        "ssl_module": module,
        "ssl_certificate": known.certfile,
        "ssl_private_key": known.keyfile,
    }


def handler_class(journal, base=JournalledEcho, **attributes):
    """A subclass that writes into ``journal``."""
    return type(base.__name__, (base,), {"journal": journal, **attributes})


@contextlib.contextmanager
def cherrypy_app(
    root=None,
    config=None,
    *,
    handler=JournalledEcho,
    tool=None,
    plugin=WebSocketPlugin,
    tls=None,
    **server,
):
    """Run an application; yields an :class:`App`.

    :param root: the tree, or what makes it once the tool is there; default :class:`Root`.
    :param config: the configuration by path; ``/ws`` is given the tool in any case.
    :param handler: a subclass of :class:`JournalledEcho`, for paths that name no other.
    :param tool: what becomes ``cherrypy.tools.websocket``.
    :param plugin: the plugin's class, or ``None`` to run without.
    :param tls: the client's ``SSLContext``; the server's side goes into ``server``.
    :param server: attributes of CherryPy's server, for example ``thread_pool``.
    """
    assert cherrypy.engine.state is cherrypy.engine.states.STOPPED, "one at a time"
    journal = Journal()
    config = {path: dict(options) for path, options in (config or {}).items()}
    config["/ws"] = {"tools.websocket.on": True, **config.get("/ws", {})}
    for options in config.values():
        if "tools.websocket.on" in options:
            options.setdefault("tools.websocket.handler_cls", handler_class(journal, handler))
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_captured_log())
        stack.enter_context(_borrowed_engine())
        stack.enter_context(_tool("websocket", tool or WebSocketTool()))
        cherrypy.tree.mount(root() if callable(root) else root or Root(), "", config)
        plug = plugin and plugin(cherrypy.engine)
        if plug:
            plug.subscribe()
            stack.callback(plug.unsubscribe)
        adapter = _server(**server)
        adapter.subscribe()
        stack.callback(adapter.unsubscribe)
        # Also when a start listener fails, and last in, first out: before the above.
        stack.callback(_stop_engine)
        app = App(adapter, plug, journal, log, tls)
        app.start()
        yield app
        _stop_engine()
        assert app.errors_expected or not log.tracebacks(), log.tracebacks()


@contextlib.contextmanager
def _borrowed_engine():
    """Take CherryPy's own global parts off the engine, and put everything back at the end."""
    engine, tree = cherrypy.engine, cherrypy.tree
    kept = (cherrypy.server, engine.autoreload, cherrypy.checker)
    listeners = {channel: set(found) for channel, found in engine.listeners.items()}
    priorities = dict(engine._priorities)
    saved_config, saved_apps = dict(cherrypy.config), dict(tree.apps)
    screen = cherrypy.log.screen
    for part in kept[:2]:
        part.unsubscribe()
    engine.unsubscribe("start", kept[2])
    # It would end the whole test run where a server fails to start.
    engine.exit = lambda: None
    cherrypy.log.screen = False
    tree.apps.clear()
    try:
        yield
    finally:
        del engine.exit
        engine.listeners.clear()
        engine.listeners.update(listeners)
        engine._priorities = priorities
        cherrypy.config.clear()
        cherrypy.config.update(saved_config)
        cherrypy.log.screen = screen
        tree.apps.clear()
        tree.apps.update(saved_apps)
        # engine.start() registers it each time; at the process's end it would complain.
        atexit.unregister(engine._clean_exit)


def _stop_engine() -> None:
    if cherrypy.engine.state is not cherrypy.engine.states.STOPPED:
        cherrypy.engine.stop()


@contextlib.contextmanager
def _tool(name, tool):
    setattr(cherrypy.tools, name, tool)
    try:
        yield
    finally:
        delattr(cherrypy.tools, name)


@contextlib.contextmanager
def _captured_log():
    log = Log()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(log)
            logger.setLevel(level)


def _server(**attributes) -> Server:
    adapter = Server()
    adapter.socket_host, adapter.socket_port = "127.0.0.1", 0
    adapter.socket_queue_size = 256
    for name, value in attributes.items():
        # A typing error in a test would otherwise set an attribute nobody reads.
        assert hasattr(adapter, name), name
        setattr(adapter, name, value)
    adapter.httpserver, adapter.bind_addr = adapter.httpserver_from_self()
    adapter.httpserver.expiration_interval = _EXPIRATION_INTERVAL
    return adapter
