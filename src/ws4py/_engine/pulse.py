"""The heartbeat of many connections: who is pinged when, and who has been silent too long.

A connection costs no timer of its own: some times within an interval all of them are
looked through, a part is pinged, and all that part gets the same ping.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from ws4py._engine.guard import guarded

__all__ = ["Ping", "Pulses", "Rhythm"]

#: Seconds between pings, and those that a peer may be silent after one (``None``: for ever).
Rhythm = tuple[float, float | None]

#: How often connections are looked through within their interval.
_STEPS = 8
_TOKEN_SIZE = 4


class Ping(NamedTuple):
    """A ping that several connections were sent together."""

    payload: bytes
    #: When, by the monotonic clock.
    sent: float
    #: Which look through the connections it was.
    look: int


class Beating(Protocol):
    """A connection as seen from here."""

    fd: int
    #: The last ping, if there has been one.
    last_ping: Ping | None

    def beat(self, ping: Ping) -> None:
        """Send a ping."""

    def is_heard(self) -> bool:
        """Whether there has been a sign of life since the last ping."""

    def fall_silent(self, seconds: float) -> None:
        """There has been no sign of life for so long."""


class Pulses:
    """The heartbeats of one loop; used on its thread only.

    :param members: called for all connections that there are; one has its ``rhythm``, or
        ``None`` for no heartbeat.
    :param timers: the loop's.
    """

    def __init__(self, members: Callable[[], Iterable[Any]], timers: Any) -> None:
        self._members = members
        self._timers = timers
        self._rhythms: dict[Rhythm, Rhythm] = {}

    def join(self, rhythm: Rhythm) -> Rhythm:
        """Return the rhythm that a new member is to have: the same object for all of one."""
        known = self._rhythms.get(rhythm)
        if known is None:
            known = self._rhythms[rhythm] = rhythm
            self._look_later(rhythm, 1)
        return known

    def _look_later(self, rhythm: Rhythm, count: int) -> None:
        self._timers.after(_step(rhythm), lambda: self._look_through(rhythm, count))

    def _look_through(self, rhythm: Rhythm, count: int) -> None:
        members = [each for each in self._members() if each.rhythm is rhythm]
        if not members:
            del self._rhythms[rhythm]
            return
        ping = Ping(secrets.token_bytes(_TOKEN_SIZE), time.monotonic(), count)
        parts = max(1, round(rhythm[0] / _step(rhythm)))
        for member in members:
            # By their descriptors, so that they are not all pinged at once.
            guarded(_look_at, member, rhythm, ping, (member.fd + count) % parts == 0)
        self._look_later(rhythm, count + 1)


def _step(rhythm: Rhythm) -> float:
    return min(each for each in rhythm if each is not None) / _STEPS


def _look_at(member: Beating, rhythm: Rhythm, ping: Ping, due: bool) -> None:
    last, timeout = member.last_ping, rhythm[1]
    if last is not None and timeout is not None and not member.is_heard():
        # Looks and not seconds: somebody may have held up the loop, which has not heard
        # then what was said meanwhile.
        if (ping.look - last.look) * _step(rhythm) >= timeout:
            member.fall_silent(timeout)
    elif due:
        member.beat(ping)
