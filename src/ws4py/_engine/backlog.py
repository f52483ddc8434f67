"""A connection to a peer that reads slower than it is sent to: who waits for it, and how long.

There is one only while the kernel's buffer is full or somebody waits; what becomes of a
peer that reads nothing at all is the channel's business.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from ws4py._engine.timers import Timer

__all__ = ["Backlog", "may_wait", "nobody_waits"]

#: How often a peer is looked at within its ``write_timeout``.
_LOOKS = 4
_SECONDS_BETWEEN_LOOKS = 2.5


class Channel(Protocol):
    """The connection, as seen from here."""

    loop: Any
    websocket: Any
    retired: bool

    def has_progressed(self) -> bool:
        """Whether the kernel has taken anything since this was last asked."""

    def wants_room(self, fragment: bool) -> bool:
        """Whether there is none yet; if so, we are told when there is."""

    def look_after(self, backlog: Backlog) -> bool:
        """Time has passed: ``False`` when this one is not needed any more."""

    def give_up(self, reason: str) -> None:
        """Close a peer that does not read."""


class Backlog:
    """What is known of a peer that does not keep up."""

    __slots__ = ("_channel", "_excess", "_looks", "_over", "_room", "_timer", "given_up")

    def __init__(self, channel: Channel) -> None:
        #: The peer is to be closed for it.
        self.given_up = False
        self._channel = channel
        self._room = threading.Condition()
        self._over = False
        # Bytes that were queued although there was no room.
        self._excess = 0
        # The loop's thread only.
        self._looks = 0
        self._timer: Timer | None = None

    # -- Any thread --------------------------------------------------------------

    def wait(self, seconds: float | None, fragment: bool = False) -> None:
        """Wait until there may be room."""
        if seconds is not None:
            seconds = min(seconds, threading.TIMEOUT_MAX)
        with self._room:
            if not self._over and self._channel.wants_room(fragment):
                self._room.wait(seconds)

    def exceed(self, size: int, unsent: int, limit: int | None) -> bool:
        """Note that a message is queued for which there is no room.

        What was begun while there was room, however large, is not held against the peer.

        :param unsent: bytes that are queued already; the last to come are the last to leave.
        :returns: whether more than ``limit`` had been queued so before.
        """
        with self._room:
            before = min(self._excess, unsent)
            self._excess = before + size
        return limit is not None and before > limit

    def freed(self) -> None:
        """There is room, or no sense in waiting for it."""
        with self._room:
            self._room.notify_all()

    # -- The loop's thread -------------------------------------------------------

    def end(self) -> None:
        """There is nothing to wait for any more."""
        with self._room:
            self._over = True
            self._room.notify_all()
        timer, self._timer = self._timer, None
        if timer is not None:
            # It would keep the connection in memory.
            timer.cancel()

    def watch(self) -> None:
        """Look after the peer from now on."""
        if self._timer is None and not self._over and not self._channel.retired:
            self._look_later()

    def _look_later(self) -> None:
        timeout = self._channel.websocket.write_timeout
        seconds = _SECONDS_BETWEEN_LOOKS if timeout is None else timeout / _LOOKS
        self._timer = self._channel.loop.timers.after(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        channel = self._channel
        if self._over or channel.retired or not channel.look_after(self):
            return
        self._looks = 0 if channel.has_progressed() else self._looks + 1
        timeout = channel.websocket.write_timeout
        if timeout is not None and self._looks >= _LOOKS:
            channel.give_up(f"slow consumer: nothing read within write_timeout {timeout} s")
        else:
            self._look_later()


class _Patience(threading.local):
    # How often none has been asked for: under gevent, several may have the thread in turns.
    refused = 0


_patience = _Patience()


def may_wait() -> bool:
    """Whether the calling thread may be made to wait for a peer."""
    return not _patience.refused


@contextlib.contextmanager
def nobody_waits() -> Iterator[None]:
    """Have nothing that is sent meanwhile, by this thread, wait for its peer."""
    _patience.refused += 1
    try:
        yield
    finally:
        _patience.refused -= 1
