"""A pool on gevent's hub, with and without the fast lane, that a test uses like a manager."""

import contextlib

import gevent.socket

from tests.support import twins
from tests.support.hub_thread import HubThread
from tests.support.serving import Recorder, Serving
from tests.support.waiting import wait_until
from ws4py.server._gevent_pool import GEventWebSocketPool

__all__ = ["hub_engine"]


class _Manager:
    """A pool under a manager's names, for any thread."""

    def __init__(self, hub) -> None:
        self._hub = hub
        self.pool = GEventWebSocketPool()

    @property
    def stop_timeout(self):
        return self.pool.stop_timeout

    @stop_timeout.setter
    def stop_timeout(self, seconds):
        self.pool.stop_timeout = seconds

    def add(self, websocket):
        self._hub.call(self.pool.serve, websocket)

    def broadcast(self, message):
        for websocket in list(self.pool.websockets):
            websocket.send(message)

    def stop(self):
        self._hub.call(self.pool.clear)


class HubServing(Serving):
    """A pool and the connections that a test gave it."""

    def __init__(self, hub, has_lane) -> None:
        super().__init__(_Manager(hub))
        self.hub = hub
        self.has_lane = has_lane

    @property
    def pool(self):
        return self.manager.pool

    def make(self, cls=Recorder, kind="tcp", **keywords):
        """A websocket that is not added yet, and its peer."""
        websocket, peer = super().make(cls, kind, **keywords)
        fd = websocket.sock.detach()
        websocket.sock = self.hub.call(lambda: gevent.socket.socket(fileno=fd))
        return websocket, peer


@contextlib.contextmanager
def hub_engine(name):
    """A pool with one of :data:`tests.support.lanes.ENGINES`."""
    if name == "lane":
        twins.compiled("ws4py._engine.lane_c")
    with HubThread() as hub:
        served = HubServing(hub, name == "lane")
        if name != "lane":
            served.pool._hub.lane = None
        try:
            yield served
        finally:
            for peer in served.peers:
                peer.sock.close()
            served.manager.stop()
            wait_until(lambda: not served.pool.websockets)
    for websocket in served.websockets:
        if isinstance(websocket, Recorder) and ("opened",) in websocket.events:
            assert len(websocket.ends) == 1, websocket.events
            assert websocket.events[-1][0] == "closed", websocket.events
