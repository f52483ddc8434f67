"""What becomes of a connection whose peer does not keep up: back-pressure, and its end.

Who can wait without holding up others waits; the others give up a peer that is too far
behind. Reading from it pauses meanwhile, which is the business of
:mod:`ws4py._engine.channel` and of the lane.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from ws4py import format_addresses
from ws4py._engine.backlog import Backlog, may_wait
from ws4py._engine.flow import Flow
from ws4py._engine.guard import guarded
from ws4py._engine.ledger import COUNTED_FROM
from ws4py._engine.loop import Loop
from ws4py._log import logger
from ws4py._wire.codes import POLICY_VIOLATION, TRY_AGAIN_LATER
from ws4py.exc import ConnectionClosed, WriteTimeout
from ws4py.protocol.state import OPEN

__all__ = ["PressedFlow"]

#: How long who waits for room relies on being told of it.
_SLICE_SECONDS = 0.05


class PressedFlow(Flow):
    """A flow that knows how far its peer is behind."""

    __slots__ = ("_backlog", "_counted", "_progress", "_registered", "soft_limit")

    def __init__(self, loop: Loop, websocket: Any) -> None:
        self._backlog: Backlog | None = None
        self._progress = False
        # Whether the ledger knows of it.
        self._counted = False
        # The loop waits for its descriptor.
        self._registered = False
        limit = websocket.unsent_soft_limit
        #: Unsent bytes above which the peer is not read from: what it makes us send is
        #: bounded by what it takes.
        self.soft_limit = sys.maxsize if limit is None else limit
        super().__init__(loop, websocket)

    @property
    def crowded(self) -> bool:
        """See :class:`ws4py._outlet.Outlet`."""
        link = self._link
        unsent = self._outbox.size if link is None else link.unsent
        return unsent + self._held_back() > self.soft_limit

    def may_go_on(self) -> bool:
        """See :class:`ws4py._outlet.Outlet`; not while the peer leaves our answers unread, nor
        for long while others wait.
        """
        stream = self.websocket.stream
        if not self.loop.is_current():
            # A program that calls process() itself: nobody would go on.
            return True
        if self.defers or stream is None or stream.connection.extension is not None:
            return False
        if self._had_its_share():
            return False
        if self.crowded:
            # They may only have been held back to leave together.
            self._try_again()
        return not self.crowded

    def _held_back(self) -> int:
        """Bytes that wait for the end of a fragmented message."""
        stream = self.websocket.stream
        if stream is None or not stream.connection.fragmenting:
            return 0
        return stream.connection.held_back

    def _behind(self) -> int:
        return self.unsent + self._held_back()

    # -- Sending, any thread -----------------------------------------------------

    def make_room(self, size: int, fragment: bool = False) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if not self._registered:
            # In its `opened`, when nobody empties the queue yet.
            return
        if self._may_wait():
            self._wait_for_room(fragment)
        elif not self._is_answering():
            self._exceed(size)
        self._count()

    def _may_wait(self) -> bool:
        return may_wait() and not self.loop.is_current()

    def _is_answering(self) -> bool:
        """Whether this connection's own callback runs.

        How much it sends is the program's decision; the peer cannot have it run again
        before it has read the answer.
        """
        link = self._link
        return self.loop.is_current() and (self._serving or (link is not None and link.answering))

    def _exceed(self, size: int) -> None:
        """Send although there is no room, unless that has been done too often."""
        self._try_again()
        if self.unsent <= self.soft_limit:
            # What waits for a fragmented message of our own is not the peer's fault.
            return
        limit = self.websocket.unsent_hard_limit
        backlog = self._fall_behind()
        if not backlog.given_up and not backlog.exceed(size, self.unsent, limit):
            return
        if not backlog.given_up:
            backlog.given_up = True
            # By the loop, in its own time: a broadcast may find a thousand of them.
            reason = f"slow consumer: above unsent_hard_limit {limit}"
            self.loop.post(lambda: self.give_up(reason))
        raise ConnectionClosed("the peer is a slow consumer, whose connection is closed")

    def _wait_for_room(self, fragment: bool) -> None:
        if self.websocket._fragmenter == threading.get_ident():  # noqa: SLF001
            # Whoever makes the fragments sends in between: what waits for their end waits for us.
            fragment = True
        self._try_again()
        timeout = self.websocket.write_timeout
        until = None if timeout is None else time.monotonic() + timeout
        while self._lacks_room(fragment):
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise WriteTimeout(f"the peer has not read for write_timeout {timeout} s: not sent")
            # In slices: the loop, which tells of room, may be waiting for a lock of the caller's.
            seconds = _SLICE_SECONDS if left is None else min(left, _SLICE_SECONDS)
            self._fall_behind().wait(seconds, fragment)
            self._try_again()
        if self._taken_away:
            raise WriteTimeout("the manager has let the connection go meanwhile: not sent")

    def _try_again(self) -> None:
        """Send what the kernel takes by now: our loop may be busy, and not know of it."""
        with self._lock:
            if self._link is not None:
                self._link.flush(anyway=True)
            else:
                self._flush(anyway=True)

    def _lacks_room(self, fragment: bool) -> bool:
        """Whether it makes sense to wait."""
        size = self.unsent if fragment else self._behind()
        return size > self.soft_limit and not self._is_ending()

    def _is_ending(self) -> bool:
        stream = self.websocket.stream
        over = stream is None or stream.connection.state is not OPEN
        return over or self.retired or self.broken

    def give_up(self, reason: str, code: int = POLICY_VIOLATION) -> None:
        """Close the connection, whose peer will rarely read why."""
        stream = self.websocket.stream
        if stream is None or stream.connection.state is not OPEN:
            return
        logger.warning("Closing %s: %s", format_addresses(self.websocket), reason)
        guarded(self.websocket._fail, code, reason)  # noqa: SLF001 - the two are one mechanism

    # -- The backlog -------------------------------------------------------------

    def _fall_behind(self) -> Backlog:
        with self._lock:
            backlog = self._backlog
            if backlog is not None:
                return backlog
            backlog = self._backlog = Backlog(self)
        self._on_loop(backlog.watch)
        return backlog

    def look_after(self, backlog: Backlog) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        self._count()
        with self._lock:
            if self._behind():
                return True
            self._backlog = None
        backlog.end()
        return False

    def has_progressed(self) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        # The poller tells of room when there is much of it, for which a slow peer takes long.
        self._try_again()
        progress = self._take_progress()
        # With nothing to take, it is our own fragmented message that takes its time.
        return progress or not self.unsent

    def _take_progress(self) -> bool:
        """Whether the kernel has taken anything since this was last asked."""
        link = self._link
        progress, self._progress = self._progress, False
        if link is not None:
            progress, link.progress = progress or bool(link.progress), False
        # A peer that reads is alive, and while it is behind its pongs are not read.
        self._heard = self._heard or progress
        return progress

    def _look_for_progress(self) -> None:
        """Hear of what a peer that is behind has read, and leave it to be told of later."""
        if self._backlog is not None:
            self._try_again()
            self._progress = self._take_progress()

    def wants_room(self, fragment: bool) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        link = self._link
        if link is not None:
            link.wanted = True
        return self._lacks_room(fragment)

    def link_pressed(self, blocked: bool) -> None:
        """From the lane, on any thread: the kernel takes no more, or there is room again."""
        if blocked:
            self._fall_behind()
            self._count()
        self._tell_waiting()

    def _enter_lane(self) -> None:
        super()._enter_lane()
        link = self._link
        if link is not None and self._backlog is not None:
            # Somebody may have begun to wait before, whom the lane does not know.
            link.wanted = True
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Have those who wait look again, if there is room for any of them."""
        backlog = self._backlog
        if backlog is not None and (self.unsent <= self.soft_limit or self._is_ending()):
            link = self._link
            if link is not None:
                # Before they look: who goes on waiting says so again.
                link.wanted = False
            backlog.freed()

    def _note_progress(self) -> None:
        if self._backlog is not None:
            self._progress = True
            self._tell_waiting()

    # -- What it makes us hold ---------------------------------------------------

    def _count(self) -> None:
        """Tell the ledger, if it is worth it."""
        if self._counted or self._holds() >= COUNTED_FROM:
            with self._lock:
                self._note()
            if self._counted and self._behind():
                # Which looks again, and so has it counted until all is sent.
                self._fall_behind()

    def _note(self) -> None:
        """Bring the ledger in line with what is held; the lock is held."""
        held, ledger = self._holds(), self.loop.ledger
        # Nobody would take back what is noted behind the end.
        self._counted = held >= COUNTED_FROM and not self.retired
        if self._counted:
            ledger.note(self, held)
        else:
            ledger.forget(self)

    def _holds(self) -> int:
        return self._behind() + self._half_received()

    def _half_received(self) -> int:
        stream = self.websocket.stream
        return 0 if stream is None else stream.connection.buffered

    def link_affords(self) -> bool:
        """From the lane: whether half-received messages may take still more memory."""
        if self.loop.ledger.affords():
            return True
        self.give_up(self.loop.ledger.reason, TRY_AGAIN_LATER)
        return False

    def run_out_of_memory(self) -> None:
        """See :class:`ws4py._engine.ledger.Holder`."""
        # Its own turn, since this may be in the middle of a callback.
        self.loop.post(self._end_for_memory)

    def _end_for_memory(self) -> None:
        self.give_up(self.loop.ledger.reason, TRY_AGAIN_LATER)
        stream = self.websocket.stream
        if stream is not None:
            stream.connection.stop_receiving()
        if self.crowded:
            # The peer does not read why, and what it does not read is what we need.
            self.expire()

    def _let_go_of_all(self) -> None:
        """It has ended: nobody waits for it, and nothing is held."""
        with self._lock:
            backlog, self._backlog = self._backlog, None
            self._note()
        if backlog is not None:
            backlog.end()
