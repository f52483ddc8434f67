"""The life of one :class:`~ws4py.websocket.WebSocket` in a loop: how it begins, beats and ends.

Its bytes are the business of :mod:`ws4py._engine.flow`. What is sent may come from any
thread and is written under the connection's lock; reading, waiting and ending belong
to the loop's thread. Nothing here blocks, and a peer that does not read holds up
nobody but itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ws4py._engine.guard import guarded
from ws4py._engine.handover import Handover
from ws4py._engine.loop import Loop
from ws4py._engine.pollers import BROKEN, READ, WRITE
from ws4py._engine.pressure import PressedFlow
from ws4py._engine.pulse import Ping, Rhythm, is_ours
from ws4py._engine.timers import Timer
from ws4py._log import logger
from ws4py._transport import interrupt
from ws4py.websocket import WebSocket

__all__ = ["Channel"]

#: Frames that are dealt with before it is looked whether the peer reads, and others wait.
_FEW_FRAMES = 32

#: Reads of a connection that is lost for writing, to hear what its peer said last.
_LAST_READS = 16
#: Pings of which a late pong still tells the latency.
_PINGS_KEPT = 4


class Channel(PressedFlow):
    """A managed connection.

    :param loop: the loop that is to serve it.
    :param websocket: the connection; its socket becomes non-blocking.
    :raises OSError: the socket is closed.
    """

    __slots__ = (
        "_deadline",
        "_end_wanted",
        "_half_closed",
        "_reset",
        "_unanswered",
        "handed_over",
        "last_ping",
        "latency",
        "rhythm",
    )

    def __init__(self, loop: Loop, websocket: WebSocket) -> None:
        super().__init__(loop, websocket)
        #: Cleared while `opened` runs, in whose course the connection must not end.
        self.handed_over = True

        # -- The loop's thread only.
        self._end_wanted = False
        self._half_closed = False
        self._reset = False
        self._deadline: Timer | None = None
        self.rhythm: Rhythm | None = None
        self.last_ping: Ping | None = None
        self.latency: float | None = None
        # The oldest first.
        self._unanswered: tuple[Ping, ...] = ()

        if websocket.stream is not None:
            # Between them it is seen whether the peer reads what it is answered.
            websocket.stream.connection.receive_few(_FEW_FRAMES)
        websocket._outlet = self  # noqa: SLF001

    # -- Outlet: any thread ------------------------------------------------------

    def expect_end(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self._link is not None:
            self._link.shut()
        self._tell_waiting()
        self._on_loop(self._arm_deadline)

    def retire(self) -> bool:
        """See :class:`ws4py._outlet.Outlet`."""
        if self.handed_over and self.loop.is_current():
            self._retire()
            # Whatever the program's own terminate() or close_connection() does.
            self.loop.post(self._close)
            return True
        self._interrupt()
        return not self.loop.post(self._complete)

    def abandon(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        self._interrupt()
        if self.retired or not self.loop.post(self.end):
            self._close()

    # -- Served by the loop ------------------------------------------------------

    def has_descriptor(self) -> bool:
        """See :class:`ws4py._engine.loop.Entry`."""
        return self.transport.fileno() == self.fd

    def follows(self, call: Callable[[], object]) -> bool:
        """See :class:`ws4py._engine.loop.Entry`."""
        handover: Handover | None = self.websocket._handover  # noqa: SLF001
        return handover is not None and handover.then(call)

    def started(self) -> None:
        """The loop has registered the descriptor."""
        self._registered = True
        if self._end_wanted:
            self.end()
            return
        websocket = self.websocket
        self._begin_heartbeat()
        data, websocket.buf = websocket.buf, b""
        if data:
            # What came behind the handshake, now that opened() has run.
            self._begin_share()
            self._process(data)
        if self.transport.buffers and not self.retired:
            # TLS may hold decrypted bytes that the poller will never announce.
            self._unread = True
            self.loop.again(self)
        if self._deadline is None:
            self._enter_lane()
        self._update()

    def on_ready(self, events: int) -> None:
        """The poller says that the descriptor can be used."""
        if events & WRITE:
            with self._lock:
                self._blocked = False
                self._heard = True
                self._flush()
        if events & (READ | BROKEN) or self.transport.wants_write:
            self._read()
        self._update()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Start the closing handshake, the loop's time is over."""
        guarded(self.websocket.close, code, reason)
        # Whatever the program's own close() does.
        self._on_loop(self._arm_deadline)

    def end(self) -> None:
        """End the connection now: ``closed()``, then the descriptor."""
        if self.retired or self._taken_away:
            # It may be served by somebody else already.
            return
        if not self.handed_over:
            self._end_wanted = True
            return
        self._retire()
        self._finish()

    def _finish(self) -> None:
        """Call ``closed()``, then close the descriptor."""
        guarded(self.websocket.terminate)
        self._close()

    def _cut_off(self) -> None:
        """Have the peer, and whoever sends, see the end before a callback that is at work."""
        with self._lock:
            self.broken = True
            self._outbox.drain()
            self.transport.abort()

    def expire(self) -> None:
        """End the connection with a reset; its time is over."""
        self._reset = True
        self.end()

    def let_go(self) -> None:
        """Stop serving the connection and leave it as it is. Any thread."""
        websocket = self.websocket
        with self._lock:
            if not self._is_ours():
                # Its socket has been closed, and its end is on its way.
                return
            self._flush_held()
            link = self._link
            unsent = self._outbox.drain() if link is None else b"".join(link.surrender())
            websocket._blocking(websocket.sock).unsent = unsent  # noqa: SLF001
            websocket._outlet = None  # noqa: SLF001
            self._taken_away = True
            if self._registered:
                websocket._handover = Handover()  # noqa: SLF001
            handover = websocket._handover  # noqa: SLF001
        self._on_loop(lambda: self._depart(handover))

    def _depart(self, handover: Handover | None) -> None:
        self._retire()
        if handover is not None:
            self._end_handover(handover)

    def _end_handover(self, handover: Handover) -> None:
        handover.end()

    # -- State -------------------------------------------------------------------

    def _update(self) -> None:
        """Bring poller and half-close in line with the state."""
        if self.retired or not self._registered:
            return
        if self.broken:
            # Its own turn, since this may run in the middle of another's callback.
            self.loop.post(self._lose)
            return
        if self._link is not None:
            return
        if self._blocked and self._outbox:
            self._fall_behind()
        if self._draining and not self._outbox and not self._half_closed:
            self._half_closed = True
            self.transport.half_close()
        reading = not self._is_ahead()
        interest = (READ if reading else 0) | (WRITE if self._outbox else 0)
        if self.transport.wants_write:
            interest = WRITE
        self._watch(interest)
        if reading and self._unread:
            self.loop.again(self)

    def _drain(self) -> None:
        """The closing handshake is over: say what is queued, then wait for the end.

        Closing at once, with unread input, would make the kernel reset the
        connection and destroy our last frames on their way.
        """
        if self.websocket.stream is None or self.retired:
            self.end()
            return
        self._leave_lane()
        self._draining = True
        self._arm_deadline()

    def _arm_deadline(self) -> None:
        if self.retired:
            return
        self._leave_lane()
        stream = self.websocket.stream
        if stream is not None and stream.connection.reading_done:
            self._draining = True
        if self._deadline is None:
            self._deadline = self.loop.timers.after(self.websocket.close_timeout, self.expire)
        self._update()

    def _lose(self) -> None:
        """Writing has failed: take what the peer said before it left, then end."""
        self._leave_lane()
        reads = 0
        while reads < _LAST_READS and not (self.retired or self._draining):
            left = len(self._early)
            self._read()
            # What was put back is not read again, unless its handler is too far behind to take it.
            reads += not left or len(self._early) >= left
        self.end()

    def _complete(self) -> None:
        """Another thread has called ``terminate()``."""
        if self._taken_away:
            guarded(self.websocket.terminate)
        else:
            self.end()

    def _retire(self) -> None:
        """Take no further part in the loop."""
        if self.retired:
            return
        self.retired = True
        self._leave_lane()
        if self._taken_away:
            # Received before it was; nobody else has it.
            early, self._early = self._early, b""
            guarded(self.websocket.process, early)
        if self._deadline is not None:
            self._deadline.cancel()
        self._let_go_of_all()
        self.loop.forget(self)

    def _close(self) -> None:
        with self._lock:
            if self._reset:
                self.transport.abort()
            else:
                self._flush_held()
                self.transport.close()

    def _interrupt(self) -> None:
        with self._lock:
            if not self.retired:
                self._flush_held()
                if self._link is not None:
                    self._link.shut()
                interrupt(self.transport.sock)

    def _watch(self, interest: int) -> None:
        if interest != self._interest:
            self._interest = interest
            self.loop.watch(self, interest)

    def _again(self) -> None:
        self.loop.again(self)

    # -- Heartbeat ---------------------------------------------------------------

    def _begin_heartbeat(self) -> None:
        websocket = self.websocket
        frequency = websocket.heartbeat_freq
        interval = websocket.ping_interval if frequency is None else frequency
        timeout = websocket.ping_timeout if frequency is None else frequency
        # 0 as well.
        if interval:
            self.loop.pulses.join(self, (interval, timeout or None))

    def beat(self, ping: Ping) -> None:
        """See :class:`ws4py._engine.pulse.Beating`, as for the next ones."""
        if self._deadline is not None:
            # It is ending, and has its own time for that.
            return
        self._heard = False
        if self._link is not None:
            self._link.heard = False
        self.last_ping = ping
        self._unanswered = (*self._unanswered[1 - _PINGS_KEPT :], ping)
        guarded(self.websocket.ping, ping.payload)

    def is_heard(self) -> bool:
        self._look_for_progress()
        heard_in_lane = self._link is not None and self._link.heard
        return self._heard or heard_in_lane or self._deadline is not None

    def fall_silent(self, seconds: float) -> None:
        logger.info("No sign of life within ping_timeout %s s: closing", seconds)
        self.expire()

    def measure(self, pong: bytes) -> bool:
        """See :class:`ws4py._outlet.Outlet`."""
        if not is_ours(pong):
            return False
        for index, ping in enumerate(self._unanswered):
            if ping.payload == pong:
                self.latency = time.monotonic() - ping.sent
                # Section 5.5.3 allows a peer to answer the most recent of several pings only.
                self._unanswered = self._unanswered[index + 1 :]
                break
        return True
