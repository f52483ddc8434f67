"""The loop: many connections, one thread, no connection that holds up another.

It waits, and tells each entry what its descriptor can do; what that means is the
entry's business. Other threads reach it by :meth:`Loop.post` alone.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ws4py._engine.backlog import nobody_waits
from ws4py._engine.guard import guarded
from ws4py._engine.ledger import Ledger
from ws4py._engine.pollers import READ, LoopPoller
from ws4py._engine.pulse import Pulses, Rhythm
from ws4py._engine.slow import SLOW_SECONDS, report
from ws4py._engine.timers import Timers
from ws4py._engine.wakeup import Wakeup
from ws4py._log import logger

__all__ = ["Entry", "Loop"]

#: How long posted calls, and ends, may hold up whoever else waits.
_SLICE_SECONDS = 0.005


class Entry(Protocol):
    """A connection as the loop sees it; every method is called on the loop's thread."""

    fd: int
    #: What a program knows of it.
    websocket: Any
    #: It has ended, or has been taken away.
    retired: bool
    #: Of its heartbeat.
    rhythm: Rhythm | None

    def has_descriptor(self) -> bool:
        """Whether the descriptor is still its own: a program may close it itself,
        and the number comes again.
        """

    def follows(self, call: Callable[[], object]) -> bool:
        """Whether another loop has not let go of it yet, and ``call`` is made when it has."""

    def started(self) -> None:
        """The descriptor is registered."""

    def on_ready(self, events: int) -> None:
        """The descriptor can be used."""

    def say_goodbye(self, code: int, reason: str) -> None:
        """The loop is about to stop."""

    def end(self) -> None:
        """End now. Calling it again has no effect."""

    def expire(self) -> None:
        """End now, the time for a graceful end is over."""


class Loop:
    """Serves entries on the thread that calls :meth:`run`, once.

    :param make_poller: called on that thread, after any fork.
    :param on_forget: told of each entry that has left.
    :param ledger: of all that the entries hold, and those of other loops.
    """

    def __init__(
        self,
        make_poller: Callable[[], LoopPoller],
        on_forget: Callable[[Entry], None],
        ledger: Ledger | None = None,
    ) -> None:
        #: What the entries hold.
        self.ledger = Ledger(None) if ledger is None else ledger
        self.timers = Timers(self._leave_lane)
        self._make_poller = make_poller
        self._on_forget = on_forget

        # -- Shared with other threads, under the gate. It is reentrant for the sake of a
        # signal's handler that stops the service while its own thread is in here.
        self._gate = threading.RLock()
        self._posted: deque[Callable[[], object]] = deque()
        self._wakeup: Wakeup | None = None
        self._woken = False
        self._ended = False
        # The loop's own thread is, or will be, waiting without having looked at what is posted.
        self._asleep = False

        # -- The loop's thread only.
        self._thread: int | None = None
        self._poller: LoopPoller | None = None
        self._entries: dict[int, Entry] = {}
        #: The heartbeats.
        self.pulses = Pulses(self._entries.values, self.timers)
        #: When the connection at hand has had its share of the turn.
        self.share_until = 0.0
        # A dictionary, since an entry may ask several times in one turn.
        self._again: dict[Entry, None] = {}
        self._endings: deque[Callable[[], object]] = deque()
        self._goodbye: tuple[int, str] | None = None
        self._stop_at: float | None = None

    # -- Any thread --------------------------------------------------------------

    def is_current(self) -> bool:
        """Whether the caller is on the loop's thread."""
        return threading.get_ident() == self._thread

    def post(self, call: Callable[[], object]) -> bool:
        """Have ``call`` made on the loop's thread; ``False`` when the loop has ended."""
        with self._gate:
            if self._ended:
                return False
            self._posted.append(call)
            self._leave_lane()
        self.wake()
        return True

    def wake(self) -> None:
        """Have the loop take a turn: something has been queued for its connections."""
        with self._gate:
            wakeup = self._wakeup
            if self._woken or wakeup is None or (self.is_current() and not self._asleep):
                return
            self._woken = True
        wakeup.wake()

    def adopt(self, entry: Entry) -> bool:
        """Serve an entry from now on; ``False`` when the loop has ended."""
        return self.post(lambda: self._register(entry))

    def refuse(self, code: int, reason: str) -> bool:
        """Say goodbye to everybody, and to whoever still comes."""
        return self.post(lambda: self._say_goodbye(code, reason))

    def stop(self, timeout: float) -> bool:
        """End :meth:`run` when everybody has left, after ``timeout`` seconds at the most."""
        return self.post(lambda: self._begin_stop(timeout))

    # -- For entries, on the loop's thread ---------------------------------------

    @property
    def lane(self) -> Any:
        """The poller's fast lane, ``None`` where it has none."""
        return getattr(self._poller, "lane", None)

    def watch(self, entry: Entry, events: int) -> None:
        """Wait for other events of an entry's descriptor."""
        assert self._poller is not None
        try:
            self._poller.modify(entry.fd, events)
        except (OSError, ValueError):
            # The program closed the descriptor itself.
            self.post(entry.end)

    def again(self, entry: Entry) -> None:
        """Serve the entry in the next turn without waiting for its descriptor."""
        self._again[entry] = None
        self._leave_lane()

    def end_later(self, fd: int, ending: Callable[[], object]) -> None:
        """Have an entry ended whose peer is gone, and others served meanwhile.

        When many go at once, as behind a proxy that is restarted, their ends take seconds.

        :param fd: its descriptor, which is not waited for any more.
        """
        # Or the poller would tell of it turn by turn.
        self._unregister(fd)
        self._endings.append(ending)
        self._leave_lane()

    def forget(self, entry: Entry) -> None:
        """Stop serving an entry."""
        if self._entries.get(entry.fd) is entry:
            del self._entries[entry.fd]
            self._unregister(entry.fd)
        self._on_forget(entry)

    def _unregister(self, fd: int) -> None:
        assert self._poller is not None
        # The program may have closed the descriptor itself, or it has been done already.
        with contextlib.suppress(OSError, ValueError, KeyError):
            self._poller.unregister(fd)

    def _leave_lane(self) -> None:
        """Have the poller return, which otherwise may go on with its lane's connections."""
        lane = self.lane
        if lane is not None:
            lane.pending = True

    # -- The loop ----------------------------------------------------------------

    def run(self) -> None:
        """Serve until :meth:`stop`; afterwards no descriptor of the loop is left."""
        self._thread = threading.get_ident()
        try:
            poller = self._poller = self._make_poller()
            with self._gate:
                wakeup = self._wakeup = Wakeup()
            poller.register(wakeup.fd)
            if self.lane is not None:
                self.ledger.count(self.lane)
            # Not for a peer of another loop either, which may be waiting for one of ours.
            with nobody_waits():
                while not self._is_done():
                    self._turn(poller, wakeup)
        finally:
            self._shut()

    def _is_done(self) -> bool:
        return self._stop_at is not None and not self._entries and not self._posted

    def _turn(self, poller: LoopPoller, wakeup: Wakeup) -> None:
        # Python goes on waiting behind a signal's handler, whatever that has posted. A lane does
        # not, and calls back while it is waited for.
        self._asleep = self.lane is None
        waiting = self._again or self._posted or self._endings
        timeout = 0.0 if waiting else self.timers.wait()
        ready = self._wait(poller, timeout)
        self._asleep = False
        again, self._again = self._again, {}
        for fd, events in ready:
            if fd == wakeup.fd:
                self._awake(wakeup)
                continue
            entry = self._entries.get(fd)
            if entry is not None:
                self._serve(entry, events)
        for entry in again:
            if self._entries.get(entry.fd) is entry:
                self._serve(entry, READ)
        self._run_some(self._posted)
        self._run_some(self._endings)
        for callback in self.timers.due():
            guarded(callback)

    def _wait(self, poller: LoopPoller, timeout: float | None) -> list[tuple[int, int]]:
        try:
            return poller.wait(timeout)
        except (OSError, ValueError):
            # The program has closed a descriptor itself, and its poller cannot bear it.
            dead = [entry for entry in self._entries.values() if not _is_open(entry.fd)]
            if not dead:
                raise
            for entry in dead:
                guarded(entry.end)
            return []

    def _serve(self, entry: Entry, events: int) -> None:
        """An error that got this far is ours, and costs one connection, not the thread."""
        began = time.monotonic()
        try:
            entry.on_ready(events)
        except Exception:
            logger.exception("A connection ended by an internal error")
            guarded(entry.expire)
        seconds = time.monotonic() - began
        if seconds > SLOW_SECONDS:
            report(entry.websocket, seconds)

    def _awake(self, wakeup: Wakeup) -> None:
        wakeup.drain()
        # Who has found it set relies on this turn, in which all that is posted follows.
        self._woken = False

    def _run_some(self, calls: deque[Callable[[], object]]) -> None:
        """Make calls, but leave some for the next turn when they take their time."""
        until = time.monotonic() + _SLICE_SECONDS
        # Only those that are there now: one that posts again waits a turn.
        for _ in range(len(calls)):
            guarded(calls.popleft())
            if time.monotonic() >= until:
                self._leave_lane()
                return

    def _register(self, entry: Entry) -> None:
        if entry.retired:
            # It ended while it was being handed over; its descriptor may be another's now.
            self._on_forget(entry)
            return
        if entry.follows(lambda: self._adopt_late(entry)):
            return
        stale = self._entries.get(entry.fd)
        if stale is not None:
            # Its descriptor was closed behind our back and the number came again.
            stale.end()
        if self._poller is None or not entry.has_descriptor():
            # The loop could not even begin, or there is nothing to wait for.
            entry.expire()
            return
        try:
            self._poller.register(entry.fd)
        except (OSError, ValueError):
            entry.end()
            return
        self._entries[entry.fd] = entry
        entry.started()
        if self._goodbye is not None:
            entry.say_goodbye(*self._goodbye)
        if self._stop_at is not None:
            self.timers.after(self._stop_at - time.monotonic(), self._expire_all)

    def _adopt_late(self, entry: Entry) -> None:
        """From another loop's thread, or a worker's, that is done with it."""
        if not self.adopt(entry):
            guarded(entry.end)

    def _say_goodbye(self, code: int, reason: str) -> None:
        if self._goodbye is None:
            self._goodbye = (code, reason)
            for entry in list(self._entries.values()):
                entry.say_goodbye(code, reason)

    def _begin_stop(self, timeout: float) -> None:
        if self._stop_at is None:
            self._stop_at = time.monotonic() + timeout
            self.timers.after(timeout, self._expire_all)

    def _expire_all(self) -> None:
        for entry in list(self._entries.values()):
            guarded(entry.expire)

    def _shut(self) -> None:
        """Leave nothing behind, whatever ended the loop."""
        while True:
            self._run_some(self._posted)
            self._run_some(self._endings)
            self._expire_all()
            with self._gate:
                if self._posted or self._endings:
                    continue
                self._ended = True
                wakeup, self._wakeup = self._wakeup, None
            break
        if self._poller is not None:
            self._poller.release()
        if wakeup is not None:
            wakeup.close()


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
