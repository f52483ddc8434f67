"""The websockets of a gevent server: who is served, how many, and how they end.

It keeps the books; reading, writing and waiting are in :mod:`ws4py.server._hub`.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool

from ws4py import format_addresses
from ws4py._engine.door import Door, peer_of
from ws4py._engine.guard import guarded
from ws4py._engine.turn_away import turn_away
from ws4py._log import logger
from ws4py._settings import checked, fill_in
from ws4py._wire.codes import GOING_AWAY, TRY_AGAIN_LATER
from ws4py.protocol.limits import DEFAULT_MEMORY_BUDGET
from ws4py.server._hub import Hub, HubChannel
from ws4py.websocket import WebSocket

__all__ = ["GEventWebSocketPool"]

_GOODBYE = "Server is shutting down"


class GEventWebSocketPool(Pool):
    """Serves websockets on the hub.

    :param size: how many websockets at the most: requests above it are refused with 503.
        ``None`` for 64 fewer than the process may open files.
    :param max_connections_per_address: how many from one address, which behind a proxy is the
        proxy's; ``None`` for any number.
    :param memory_budget: bytes that all websockets together may make the process hold; see
        :class:`~ws4py.manager.WebSocketManager`.
    :param settings: for every websocket whose class, and whose application, has none of its
        own; the names are those of :class:`~ws4py._settings.Settings`.
    :raises TypeError: a setting that there is not, or that is no number.
    :raises ValueError: a negative setting.
    """

    #: Seconds that :meth:`clear` gives the peers to complete the closing handshake.
    stop_timeout = 1.0

    #: Turn away who still comes, with 1001.
    refusing = False

    def __init__(
        self,
        size: int | None = None,
        greenlet_class: Any = None,
        *,
        max_connections_per_address: int | None = None,
        memory_budget: int | None = DEFAULT_MEMORY_BUDGET,
        **settings: Any,
    ) -> None:
        super().__init__(size, greenlet_class)
        self._settings = checked(settings, type(self).__name__)
        self.max_connections_per_address = max_connections_per_address
        self._door = Door("the pool's size")
        #: The websockets that are served.
        self.websockets: set[Any] = set()
        # With the event of those whose end somebody waits for.
        self._channels: dict[HubChannel, Event | None] = {}
        self._runners: dict[gevent.Greenlet, Any] = {}
        self._hub = Hub(self._forget, self._channels.keys(), memory_budget)

    def admit(self, address: str | None = None) -> None:
        """Ask, before a 101 is sent, whether there is room for one more websocket.

        :raises HandshakeError: with status 503, there is none.
        """
        reason = self._full(address)
        if reason is not None:
            raise self._door.refused(reason, address)

    def _full(self, address: str | None) -> str | None:
        return self._door.full(
            len(self.websockets), self.size, self.max_connections_per_address, address
        )

    def serve(self, websocket: Any) -> Any:
        """Serve a websocket from now on; does not wait.

        :returns: what serves it; ``None`` where it was turned away.
        """
        if self.refusing:
            turn_away(websocket.sock, GOING_AWAY, _GOODBYE)
            return None
        address = None if self.max_connections_per_address is None else peer_of(websocket)
        reason = self._full(address)
        if reason is not None:
            # It came without asking, or many asked at once.
            self._door.refused(reason, address)
            turn_away(websocket.sock, TRY_AGAIN_LATER, reason)
            return None
        logger.info("Managing websocket %s", format_addresses(websocket))
        if issubclass(type(websocket), WebSocket):
            fill_in(websocket, self._settings, WebSocket)
        if _runs_itself(websocket):
            return self._run(websocket, address)
        channel = HubChannel(self._hub, websocket)
        self._channels[channel] = None
        self.websockets.add(websocket)
        self._door.stay(self._door.enter(address), channel)
        gevent.spawn(channel.run, channel.begin)
        return channel

    def track(self, websocket: Any) -> gevent.Greenlet:
        """Serve a websocket; returns a greenlet that ends when the websocket has."""
        served = self.serve(websocket)
        if isinstance(served, gevent.Greenlet):
            return served
        return gevent.spawn(bool if served is None else self._end_of(served).wait)

    def add(self, websocket: Any) -> None:
        """Serve a websocket, as a manager's method of this name; or track a greenlet."""
        if isinstance(websocket, gevent.Greenlet):
            super().add(websocket)
        else:
            self.serve(websocket)

    def clear(self, timeout: float | None = None) -> None:
        """Close every websocket with 1001 and wait for their ends.

        :param timeout: seconds, :attr:`stop_timeout` by default; who has not
            answered then is cut off.
        """
        channels, runners = list(self._channels), list(self._runners)
        ends = [*map(self._end_of, channels), *runners]
        for channel in channels:
            channel.say_goodbye(GOING_AWAY, _GOODBYE)
        for websocket in list(self._runners.values()):
            guarded(websocket.close, GOING_AWAY, _GOODBYE)
        gevent.wait(ends, timeout=self.stop_timeout if timeout is None else timeout)
        for channel in channels:
            guarded(channel.expire)
        gevent.killall(runners, timeout=self.stop_timeout)

    def _end_of(self, channel: HubChannel) -> Event:
        event = self._channels.get(channel)
        if event is None:
            event = Event()
            if channel in self._channels:
                self._channels[channel] = event
            else:
                event.set()
        return event

    def _run(self, websocket: Any, address: str | None) -> gevent.Greenlet:
        """Have a program's own ``run`` called, in a greenlet of its own."""
        greenlet = gevent.Greenlet(guarded, websocket.run)
        self._runners[greenlet] = websocket
        self.websockets.add(websocket)
        self._door.stay(self._door.enter(address), greenlet)
        greenlet.link(self._ran)
        greenlet.start()
        return greenlet

    def _ran(self, greenlet: gevent.Greenlet) -> None:
        self.websockets.discard(self._runners.pop(greenlet, None))
        self._door.left(greenlet)

    def _forget(self, channel: HubChannel) -> None:
        if channel not in self._channels:
            return
        ended = self._channels.pop(channel)
        self._door.left(channel)
        self.websockets.discard(channel.websocket)
        logger.info("Terminating websocket %s", format_addresses(channel.websocket))
        if ended is not None:
            ended.set()


def _runs_itself(websocket: Any) -> bool:
    """Whether it is no websocket of ours, or one that overrides ``run``."""
    kind = type(websocket)
    if not issubclass(kind, WebSocket):
        return True
    # Not by its dictionary, which would be made for being looked at.
    return getattr(websocket.run, "__func__", None) is not WebSocket.run
