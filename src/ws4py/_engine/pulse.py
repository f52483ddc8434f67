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

__all__ = ["Ping", "Pulses", "Rhythm", "is_ours"]

#: Seconds between pings, and those that a peer may be silent after one (``None``: for ever).
Rhythm = tuple[float, float | None]

#: How often connections are looked through within their interval.
_STEPS = 8
_TOKEN_SIZE = 4
# What all our payloads begin with, and those of programs do not: pongs may come late, and
# through another loop than the one that sent the ping.
_OURS = secrets.token_bytes(4)


def is_ours(payload: bytes) -> bool:
    """Whether it is a heartbeat's."""
    return payload.startswith(_OURS)


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
    rhythm: Rhythm | None
    #: The last ping, or its stand-in without a payload, if it has a rhythm.
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
        # With when it was last looked, which stands for the ping that newcomers have not had.
        self._rhythms: dict[Rhythm, tuple[Rhythm, Ping]] = {}

    def join(self, member: Beating, rhythm: Rhythm) -> None:
        """Give a new member its rhythm, the same object for all of one."""
        if rhythm not in self._rhythms:
            self._rhythms[rhythm] = rhythm, Ping(b"", time.monotonic(), 0)
            self._look_later(rhythm, 1)
        member.rhythm, member.last_ping = self._rhythms[rhythm]

    def _look_later(self, rhythm: Rhythm, count: int) -> None:
        self._timers.after(_step(rhythm), lambda: self._look_through(rhythm, count))

    def _look_through(self, rhythm: Rhythm, count: int) -> None:
        members = [each for each in self._members() if each.rhythm is rhythm]
        if not members:
            del self._rhythms[rhythm]
            return
        ping = Ping(_OURS + secrets.token_bytes(_TOKEN_SIZE), time.monotonic(), count)
        self._rhythms[rhythm] = rhythm, Ping(b"", ping.sent, count)
        for member in members:
            guarded(_look_at, member, rhythm, ping)
        self._look_later(rhythm, count + 1)


def _step(rhythm: Rhythm) -> float:
    return min(each for each in rhythm if each is not None) / _STEPS


def _look_at(member: Beating, rhythm: Rhythm, ping: Ping) -> None:
    last, timeout = member.last_ping, rhythm[1]
    assert last is not None
    looks = ping.look - last.look
    if last.payload and timeout is not None and not member.is_heard():
        # Looks and not seconds: somebody may have held up the loop, which has not heard
        # then what was said meanwhile.
        if looks * _step(rhythm) >= timeout:
            member.fall_silent(timeout)
    elif looks >= _looks_until_ping(member, rhythm, last):
        member.beat(ping)


def _looks_until_ping(member: Beating, rhythm: Rhythm, last: Ping) -> int:
    looks = round(rhythm[0] / _step(rhythm))
    if last.payload:
        return looks
    # The first one comes earlier, by up to half an interval: those that came together are
    # not all to be pinged together.
    return looks - member.fd % max(1, looks // 2)
