"""A gevent hub in a thread of its own, so that a test's own sockets may block.

Whatever the thread opened is closed with its hub.
"""

import contextlib
import gc
import queue
import ssl
import threading

import gevent
import gevent.event
import gevent.ssl
from gevent.hub import get_hub

from tests.support.raw import RawClient
from tests.support.tls import certificates
from tests.support.waiting import DEADLINE


class HubThread:
    """Runs calls as greenlets of its hub."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._hub = None
        self._end = None
        self._thread = threading.Thread(target=self._run, name="HubThread")

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *exception) -> None:
        self.post(self._end.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        self._hub = get_hub()
        self._end = gevent.event.Event()
        self._ready.set()
        # An async watcher keeps the loop from ending while nothing else is watched.
        with contextlib.closing(self._hub.loop.async_()) as alive:
            alive.start(bool)
            self._end.wait()
        self._hub.destroy(destroy_loop=True)

    def post(self, call, *arguments) -> None:
        """Have it called in a greenlet; does not wait."""
        self._hub.loop.run_callback_threadsafe(gevent.spawn, call, *arguments)

    def call(self, call, *arguments):
        """Have it called in a greenlet, and return what it returned."""
        results = queue.Queue()

        def answer():
            try:
                results.put((call(*arguments), None))
            except BaseException as error:
                results.put((None, error))
                raise

        self.post(answer)
        result, error = results.get(timeout=DEADLINE)
        if error is not None:
            raise error
        return result


def living_greenlets() -> int:
    """Greenlets that have begun and not ended, of all threads."""
    gc.collect()
    return sum(1 for each in gc.get_objects() if isinstance(each, gevent.Greenlet) and each)


class Served:
    """A gevent server in a hub thread."""

    def __init__(self, hub, server, tls) -> None:
        self.hub = hub
        self.server = server
        self.tls = certificates().client_context() if tls else None

    def client(self) -> RawClient:
        return RawClient(("127.0.0.1", self.server.server_port), self.tls)

    def connect(self, behind=b"", path="/ws", **changes) -> RawClient:
        client = self.client()
        response = client.upgrade(path, behind, **changes)
        assert response.status == 101, (response, client.body)
        return client

    def get(self) -> bytes:
        with self.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.read_response().status == 200
            return client.body


@contextlib.contextmanager
def serving(kind, application, tls=False, **settings):
    """A running server of the class, stopped at the end."""
    if tls:
        settings["ssl_context"] = _context()
    with HubThread() as hub:
        server = hub.call(lambda: kind(("127.0.0.1", 0), application, log=None, **settings))
        hub.call(server.start)
        try:
            yield Served(hub, server, tls)
        finally:
            hub.call(server.stop)


def _context():
    # Not the standard library's, whose sockets would block the hub.
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates().certfile, certificates().keyfile)
    return context
