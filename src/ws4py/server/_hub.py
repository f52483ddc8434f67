"""gevent's hub in the place of our loop: the same channels, no thread, no idle greenlet.

An idle websocket is an ``io`` watcher, or nothing at all where it fits into the fast
lane (:mod:`ws4py.server._hub_lane`). When its descriptor is ready, a greenlet does the
work and may block cooperatively in a callback; meanwhile nobody reads from it, so
callbacks of one connection stay ordered and never run two at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

import gevent
from gevent.hub import get_hub
from gevent.monkey import get_original, is_module_patched

from ws4py._engine.backlog import may_wait
from ws4py._engine.channel import Channel
from ws4py._engine.guard import guarded
from ws4py._engine.lane import COMPILED
from ws4py._engine.ledger import Ledger
from ws4py._engine.pollers import READ, WRITE
from ws4py._engine.pulse import Pulses
from ws4py._log import logger
from ws4py.protocol.limits import DEFAULT_MEMORY_BUDGET
from ws4py.server._hub_lane import HubLane

__all__ = ["Hub", "HubChannel"]

# libev's and libuv's numbers for what gevent's io watchers wait for.
_EV_READ = 1
_EV_WRITE = 2

# Of the thread; a monkey-patched one tells greenlets apart.
_get_ident = get_original("_thread", "get_ident")


class HubTimer:
    """A deadline of the hub."""

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self._timer: Any = get_hub().loop.timer(seconds, ref=False)
        self._timer.start(self._fire, callback)

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
            timer.close()

    def _fire(self, callback: Callable[[], None]) -> None:
        self.cancel()
        # Callbacks of the hub must not block, and these may reach a program's code.
        gevent.spawn(guarded, callback)


class HubTimers:
    """What a channel sees of :class:`ws4py._engine.timers.Timers`."""

    def after(self, seconds: float, callback: Callable[[], None]) -> HubTimer:
        """Call ``callback`` once, ``seconds`` from now."""
        return HubTimer(seconds, callback)


class Hub:
    """Serves channels on the hub of the thread that makes the first of them.

    :param on_forget: told of each channel that has left.
    :param members: the channels that are served.
    :param budget: bytes that all of them may hold together, ``None`` for no limit.
    """

    def __init__(
        self,
        on_forget: Callable[[Any], None],
        members: Collection[HubChannel] = (),
        budget: int | None = DEFAULT_MEMORY_BUDGET,
    ) -> None:
        self.timers = HubTimers()
        #: The heartbeats.
        self.pulses = Pulses(lambda: members, self.timers)
        #: When the channel at hand has had its share.
        self.share_until = 0.0
        #: What the channels hold.
        self.ledger = Ledger(budget)
        #: Where it is compiled.
        self.lane = HubLane() if COMPILED else None
        if self.lane is not None:
            self.ledger.count(self.lane)
        self._on_forget = on_forget
        self._hub: Any = None
        self._thread = 0

    def bind(self) -> None:
        """Remember the thread's hub; a pool can be made long before it is used."""
        if self._hub is None:
            self._hub = get_hub()
            self._thread = _get_ident()

    def is_current(self) -> bool:
        """Whether the caller is in a greenlet of this hub."""
        return bool(_get_ident() == self._thread)

    def post(self, call: Callable[[], object]) -> bool:
        """Have ``call`` made in a greenlet of the hub; safe from any thread."""
        if self.is_current():
            gevent.spawn(guarded, call)
        else:
            self._hub.loop.run_callback_threadsafe(gevent.spawn, guarded, call)
        return True

    def watch(self, channel: HubChannel, events: int) -> None:
        """Wait for other events of a channel's descriptor."""
        channel.wait_for(events)

    def again(self, channel: HubChannel) -> None:
        """Serve the channel once more without waiting for its descriptor."""
        channel.serve_again()

    def end_later(self, fd: int, ending: Callable[[], object]) -> None:
        """End a channel whose peer is gone; here each has a greenlet, so nobody waits."""
        ending()

    def forget(self, channel: HubChannel) -> None:
        """Stop serving a channel."""
        channel.stop_waiting()
        self._on_forget(channel)


class HubChannel(Channel):
    """A websocket in the hub.

    The reading watcher is stopped while a greenlet is at work; the writing one,
    which exists only while something is unsent, is not, so output flows while a
    callback blocks. In the fast lane there is neither, and the lane is told who
    is at work.
    """

    __slots__ = ("_events", "_more", "_reader", "_work", "_worker", "_writer")

    def __init__(self, hub: Any, websocket: Any) -> None:
        hub.bind()
        # Before the rest: it makes us the one who is asked to write.
        self._events = READ
        self._reader: Any = None
        self._writer: Any = None
        # The greenlet that is at work, what waits for it, and whether there is more
        # to do than the descriptor tells.
        self._worker: Any = None
        self._work: list[Callable[[], object]] | None = None
        self._more = False
        super().__init__(hub, websocket)

    # -- Sending -----------------------------------------------------------------

    def hold(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        super().hold()
        if self._serving and self._link is None:
            # Runs when all have been answered, or as soon as a callback waits.
            gevent.spawn(guarded, self._let_out)

    def _let_out(self) -> None:
        if self._serving:
            with self._lock:
                self._flush_held()

    # -- Work, one after the other -----------------------------------------------

    def begin(self) -> None:
        """Call ``opened()``, then serve the connection."""
        websocket = self.websocket
        self.handed_over = False
        try:
            websocket._call(websocket.opened)  # noqa: SLF001 - guarded like every callback
        finally:
            # Killed or not; who runs this ends it then.
            self.handed_over = True
        if not self.retired:
            self.started()

    def run(self, work: Callable[[], object]) -> None:
        """Do some work, now or when the greenlet that is at it has come to its end."""
        if self._work is not None:
            self._work.append(work)
            return
        self.begin_work(gevent.getcurrent()).append(work)
        self.finish_work()

    def begin_work(self, worker: Any) -> list[Callable[[], object]]:
        """A greenlet is at work: whatever else there is to do waits in the list."""
        # An idle connection has none.
        waiting = self._work = []
        self._worker = worker
        self._arm_reader()
        return waiting

    def finish_work(self) -> None:
        """Do what has had to wait, in the greenlet that is at work."""
        waiting = self._work
        assert waiting is not None
        try:
            while waiting or self._more:
                if not waiting:
                    # Others have a turn in between.
                    gevent.sleep(0)
                    waiting.append(self._serve_more)
                self._do(waiting.pop(0))
        finally:
            self._worker = self._work = None
            self._arm_reader()

    def _do(self, work: Callable[[], object]) -> None:
        """An error that got this far is ours, and costs one connection."""
        try:
            work()
        except gevent.GreenletExit:
            # The program has killed the greenlet that serves the connection.
            guarded(super().end)
        except Exception:
            logger.exception("A connection ended by an internal error")
            guarded(super().expire)

    def serve_again(self) -> None:
        """Read once more without waiting for the descriptor."""
        if not self._more:
            self._more = True
            if self._worker is None:
                gevent.spawn(self.run, self._serve_more)

    def _serve_more(self) -> None:
        self._more = False
        self._serve_read()

    def _serve_read(self) -> None:
        if not self.retired:
            self.on_ready(READ)

    def _writable(self) -> None:
        if self.transport.wants_write:
            # It is for reading, which may reach a callback.
            self.run(self._serve_write)
        else:
            self._serve_write()

    def _serve_write(self) -> None:
        if not self.retired:
            self.on_ready(WRITE)

    def is_heard(self) -> bool:
        """See :class:`ws4py._engine.pulse.Beating`; nobody reads while a callback runs."""
        self._heard = self._heard or self._worker is not None
        return super().is_heard()

    def _may_wait(self) -> bool:
        """A greenlet may wait, if that is what a lock's waiting does; the hub itself may not."""
        patched = is_module_patched("threading") and self.loop.is_current()
        return patched and may_wait() and gevent.getcurrent() is not get_hub()

    def _is_answering(self) -> bool:
        """The callback's own greenlet, while others may run as well."""
        if self._worker is not None:
            return gevent.getcurrent() is self._worker
        # In the lane, a callback that has not waited yet.
        return super()._is_answering()

    # -- The fast lane -----------------------------------------------------------

    def _enter_lane(self) -> None:
        # The program may have closed the descriptor itself.
        with contextlib.suppress(OSError):
            super()._enter_lane()
        if self._link is not None:
            # The lane has its own, and waits for the end of our work.
            self.stop_waiting()
            self._events = READ
            self._arm_reader()

    def _leave_lane(self) -> None:
        if self._link is not None:
            super()._leave_lane()
            self.loop.lane.left()
            self._arm_reader()

    def link_replaced(self) -> None:
        """From the lane: the program has closed the descriptor itself."""
        self.loop.post(self.end)

    def link_interrupted(self, error: BaseException) -> None:
        """From the lane: the greenlet that serves the connection was killed, or worse."""
        guarded(super().end)
        if not isinstance(error, gevent.GreenletExit):
            raise error

    # -- The end -----------------------------------------------------------------

    def retire(self) -> bool:
        """See :class:`ws4py._outlet.Outlet`; a callback may be running in another greenlet."""
        if self._worker in (None, gevent.getcurrent()):
            return super().retire()
        self._interrupt()
        return not self.loop.post(self._complete)

    def end(self) -> None:
        """End the connection, behind the callback that may be running."""
        if self._work is not None and not self.retired:
            self._work.append(super().end)
        else:
            super().end()

    def expire(self) -> None:
        """End the connection with a reset, and ``closed()`` behind a callback that blocks."""
        if self._work is None or self.retired:
            super().expire()
            return
        self._leave_lane()
        self.stop_waiting()
        self._cut_off()
        if self.handed_over:
            self._retire()
            self._work.append(self._finish)
        else:
            super().expire()

    def _lose(self) -> None:
        self.run(super()._lose)

    # -- Waiting -----------------------------------------------------------------

    def wait_for(self, events: int) -> None:
        """Wait for other events."""
        self._events = events
        if events & WRITE and self._writer is None and not self.retired:
            self._writer = get_hub().loop.io(self.fd, _EV_WRITE)
            self._writer.start(gevent.spawn, guarded, self._writable)
        elif not events & WRITE:
            self._stop_writer()
        self._arm_reader()

    def stop_waiting(self) -> None:
        """Have the hub forget the descriptor."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
            reader.close()
        self._stop_writer()

    def _stop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stop()
            writer.close()

    def _arm_reader(self) -> None:
        if self._link is not None:
            self.loop.lane.allow(self._link, self._worker is None)
        elif not (self.retired or self.broken):
            if self._reader is not None:
                self._reader.stop()
            if self._events & READ and self._worker is None:
                self._start_reader()

    def _start_reader(self) -> None:
        if self._reader is None:
            try:
                self._reader = get_hub().loop.io(self.fd, _EV_READ)
            except OSError:
                # The program has closed the descriptor itself.
                self.loop.post(self.end)
                return
        self._reader.start(self._readable)

    def _readable(self) -> None:
        """In the hub: nothing here may block."""
        self._reader.stop()
        gevent.spawn(self.run, self._serve_read)
