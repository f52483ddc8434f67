"""What a connection asks of whoever owns its socket: a manager's loop, for example.

Only the shape, so that :mod:`ws4py.websocket` need not know any loop.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

__all__ = ["Outlet", "held_to_end", "make_room", "narrowed"]


class Outlet(Protocol):
    """Where bytes leave while somebody else's loop owns the socket."""

    #: Writing has failed; nothing can be sent any more.
    broken: bool

    #: It serves the connection no more; callbacks that waited may still run.
    retired: bool

    #: Callbacks are not to be made where bytes are processed, but by :meth:`defer`.
    defers: bool

    #: Seconds that the last ping took there and back.
    latency: float | None

    @property
    def crowded(self) -> bool:
        """Whether more is unsent than a peer may leave unread without consequences."""

    def make_room(self, size: int, fragment: bool = False) -> None:
        """A message is about to be sent although it is crowded: wait, where that holds
        up nobody else; where it would, give up a peer that is too far behind.

        Called without the connection's lock.

        :param size: of the message.
        :param fragment: of a message that is being sent, on which others wait: it waits for
            the peer only, and not for them.
        :raises WriteTimeout: there was no room within ``write_timeout``.
        """

    def defer(self, call: Callable[[], object], size: int) -> None:
        """Have a call made behind all that were deferred before, on another thread.

        :param size: bytes that it holds.
        """

    def may_go_on(self) -> bool:
        """Whether the rest of what was received together is processed at once."""

    def put_back(self, data: bytes) -> None:
        """Have received bytes processed later, before all others."""

    def measure(self, pong: bytes) -> bool:
        """A pong has arrived: ``True`` when it answers a ping of the owner's, however late."""

    def write(self, data: bytes) -> None:
        """Queue bytes; called under the connection's lock, never blocks."""

    def hold(self) -> None:
        """Several messages are about to be answered: replies may leave together."""

    def narrow(self) -> None:
        """Something is about to be written that no other message may overtake or follow:
        let none out but by :meth:`write`.
        """

    def widen(self) -> None:
        """It has been written."""

    def post(self, data: bytes) -> None:
        """Queue bytes that many others get as well; the owner is told later, for all at once."""

    def expect_end(self) -> None:
        """Our close frame is out: the end has to come within ``close_timeout``."""

    def retire(self) -> bool:
        """The connection is to end. ``True``: the caller completes it now, nobody
        else will; ``False``: the owner's own thread is going to.
        """

    def abandon(self) -> None:
        """Close the socket, or have it closed, without any closing handshake."""


def make_room(outlet: Outlet | None, size: int, fragment: bool = False) -> None:
    """See :meth:`Outlet.make_room`."""
    if outlet is not None and outlet.crowded:
        outlet.make_room(size, fragment)


@contextlib.contextmanager
def narrowed(outlet: Outlet | None) -> Iterator[None]:
    """No message overtakes what is written now, or follows it where nothing may."""
    if outlet is not None:
        outlet.narrow()
    try:
        yield
    finally:
        if outlet is not None:
            outlet.widen()


@contextlib.contextmanager
def held_to_end(
    lock: threading.RLock, outlet: Outlet | None, unblock: Callable[[], None]
) -> Iterator[None]:
    """A connection's lock, for what ends it: who has it may be waiting for the peer to read."""
    if not lock.acquire(blocking=False):
        if outlet is None:
            unblock()
        lock.acquire()
    try:
        with narrowed(outlet):
            yield
    finally:
        lock.release()
