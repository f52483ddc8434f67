"""What becomes of a connection whose peer does not keep up: back-pressure, and its end.

Who can wait without holding up others waits; the others give up a peer that is too far
behind. Reading from it pauses meanwhile, which is the business of
:mod:`ws4py._engine.channel` and of the lane.
"""

from __future__ import annotations

import sys
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
from ws4py.exc import WriteTimeout
from ws4py.protocol.state import OPEN

__all__ = ["PressedFlow"]


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

    def _held_back(self) -> int:
        """Bytes that wait for the end of a fragmented message."""
        stream = self.websocket.stream
        if stream is None or not stream.connection.fragmenting:
            return 0
        return stream.connection.held_back

    def _behind(self) -> int:
        return self.unsent + self._held_back()

    # -- Sending, any thread -----------------------------------------------------

    def make_room(self, size: int) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if not self._registered:
            # In its `opened`, when nobody empties the queue yet.
            return
        if self._may_wait():
            self._wait_for_room()
        elif not self._is_answering():
            limit = self.websocket.unsent_hard_limit
            if self._fall_behind().exceed(size, self._behind(), limit):
                self.give_up(f"slow consumer: above unsent_hard_limit {limit}")
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

    def _wait_for_room(self) -> None:
        timeout = self.websocket.write_timeout
        until = None if timeout is None else time.monotonic() + timeout
        while self.crowded and not self.retired and not self.broken:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise WriteTimeout(f"the peer has not read for write_timeout {timeout} s: not sent")
            self._fall_behind().wait(left)

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

    def _catch_up(self) -> None:
        """There is nothing to look after any more."""
        with self._lock:
            backlog, self._backlog = self._backlog, None
        if backlog is not None:
            backlog.end()

    def look_after(self, backlog: Backlog) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        self._count()
        if self.unsent:
            return True
        self._catch_up()
        return False

    def has_progressed(self) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        link = self._link
        if link is not None:
            progress, link.progress = link.progress, False
            return bool(progress)
        progress, self._progress = self._progress, False
        return progress

    def wants_room(self) -> bool:
        """See :class:`ws4py._engine.backlog.Channel`."""
        if self._link is not None:
            self._link.wanted = True
        return self.crowded and not self.retired

    def link_pressed(self, blocked: bool) -> None:
        """From the lane, on any thread: the kernel takes no more, or there is room again."""
        if blocked:
            self._fall_behind()
        else:
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        backlog = self._backlog
        if backlog is not None and not self.crowded:
            backlog.freed()

    def _note_progress(self) -> None:
        if self._backlog is not None:
            self._progress = True
            self._tell_waiting()

    # -- What it makes us hold ---------------------------------------------------

    def _count(self) -> None:
        """Tell the ledger, if it is worth it."""
        held = self._behind() + self._half_received()
        if held >= COUNTED_FROM:
            self._counted = True
            self.loop.ledger.note(self, held)
        elif self._counted:
            self._counted = False
            self.loop.ledger.forget(self)

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
        self._catch_up()
        if self._counted:
            self._counted = False
            self.loop.ledger.forget(self)
