"""The fast lane under gevent's hub: one watcher for all connections that are in it.

The hub waits for the lane's epoll, and each turn of the lane is a greenlet, in which a
callback may block cooperatively; the others are then served in another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent
from gevent.hub import get_hub
from gevent.monkey import get_original

from ws4py._engine.lane import switching_lane

if TYPE_CHECKING:
    from ws4py._engine.lane_c import Link, SwitchingLane

__all__ = ["HubLane"]

# libev's and libuv's number for what gevent's io watchers wait for.
_EV_READ = 1


class HubLane:
    """Serves channels in the fast lane. It has a descriptor only while it has connections.

    Everything is called in the hub's thread, and :meth:`_readable` by the hub itself.
    """

    def __init__(self) -> None:
        self._links = 0
        self._epoll: Any = None
        self._watcher: Any = None
        self._lane: SwitchingLane | None = None
        self._scheduled = False

    def attach(
        self, fd: int, channel: Any, websocket: Any, connection: Any, largest: int, soft: int
    ) -> Link:
        """Take a connection in, which is served as soon as :meth:`allow` says so.

        :raises OSError: the descriptor is closed.
        """
        lane = self._lane or self._open()
        self._links += 1
        try:
            return lane.attach(fd, channel, websocket, connection, largest, soft)
        except OSError:
            self.left()
            raise

    @property
    def held(self) -> int:
        """Bytes that have arrived of large messages; see :class:`ws4py._engine.ledger.Ledger`."""
        return 0 if self._lane is None else self._lane.held

    @property
    def allowed(self) -> int:
        """With how many of them Python is asked again."""
        return 0 if self._lane is None else self._lane.allowed

    @allowed.setter
    def allowed(self, value: int) -> None:
        if self._lane is not None:
            self._lane.allowed = value

    def allow(self, link: Link, allowed: bool) -> None:
        """Serve a connection from now on, or not while there is other work to do for it."""
        if self._lane is not None:
            self._lane.allow(link, allowed)
            self._go_on_later()

    def left(self) -> None:
        """A connection has left the lane."""
        self._links -= 1
        if not self._links:
            self._watcher.stop()
            self._watcher.close()
            self._epoll.close()
            self._epoll = self._watcher = self._lane = None

    def _open(self) -> SwitchingLane:
        # gevent takes it out of the module that it patches.
        self._epoll = get_original("select", "epoll")()
        self._lane = switching_lane(self._epoll.fileno())
        self._watcher = get_hub().loop.io(self._epoll.fileno(), _EV_READ)
        self._watcher.start(self._readable)
        return self._lane

    def _readable(self) -> None:
        """In the hub: nothing here may block."""
        lane = self._lane
        goes_on, first = True, True
        # It closes with its last connection, maybe in the middle.
        while goes_on and lane is not None and lane is self._lane:
            turn = gevent.Greenlet(lane.turn, first)
            turn.switch()
            if not lane.running:
                break
            # Switched away from in the middle of a callback.
            channel = lane.give_way()
            if channel is not None:
                channel.begin_work(turn)
            goes_on, first = lane.unfinished, False
        self._go_on_later()

    def _go_on_later(self) -> None:
        """Have a turn soon, for what has been put back so that others are served before."""
        if self._lane is not None and self._lane.waits and not self._scheduled:
            self._scheduled = True
            get_hub().loop.run_callback(self._go_on)

    def _go_on(self) -> None:
        self._scheduled = False
        self._readable()
