"""One :class:`~ws4py.websocket.WebSocket` in a loop: its socket, its outgoing queue, its end.

What is sent may come from any thread and is written under the connection's lock;
reading, waiting and ending belong to the loop's thread. Nothing here blocks, and
a peer that does not read holds up nobody but itself.
"""

from __future__ import annotations

import time
from typing import Any

from ws4py._engine.fed import feed_once
from ws4py._engine.guard import guarded
from ws4py._engine.loop import Loop
from ws4py._engine.outbox import Outbox
from ws4py._engine.pollers import BROKEN, READ, WRITE
from ws4py._engine.timers import Timer
from ws4py._log import logger
from ws4py._transport import interrupt, transport_for
from ws4py._wire.codes import INTERNAL_ERROR
from ws4py.exc import ConnectionClosed
from ws4py.websocket import WebSocket

__all__ = ["Channel"]

_READ_SIZE = 64 * 1024
#: Reads of one connection in one turn, where more may wait above the kernel.
_READS_PER_TURN = 16
#: Unsent bytes above which the peer is not read from: what it makes us send is
#: bounded by what it takes.
_PAUSE_READING_ABOVE = 64 * 1024
#: How long replies may wait for each other. A handler that takes longer than this
#: gets its replies out one by one, as they are made.
_HOLD_SECONDS = 0.005

_RAISED = object()


class Channel:
    """A managed connection.

    :param loop: the loop that is to serve it.
    :param websocket: the connection; its socket becomes non-blocking.
    :raises OSError: the socket is closed.
    """

    def __init__(self, loop: Loop, websocket: WebSocket) -> None:
        self.loop = loop
        self.websocket = websocket
        blocking = websocket._blocking(websocket.sock)  # noqa: SLF001 - it has TLS's lock
        self.transport = blocking.transport or transport_for(websocket.sock)
        self.transport.take_over()
        self.fd = self.transport.fileno()
        self._once_overridden = _overrides_once(websocket)

        # -- Outgoing: under the connection's lock.
        self._lock = websocket._lock  # noqa: SLF001 - the two are one mechanism
        self._outbox = Outbox()
        self._outbox.append(blocking.unsent)
        blocking.unsent = b""
        self._blocked = False
        self.broken = False
        self._hold_until = 0.0

        #: Cleared while `opened` runs, in whose course the connection must not end.
        self.handed_over = True

        # -- The rest: the loop's thread only.
        self._end_wanted = False
        self._taken_away = False
        self._serving = False
        self._registered = False
        self._interest = READ
        self._unread = False
        self._draining = False
        self._half_closed = False
        self.retired = False
        self._reset = False
        self._deadline: Timer | None = None

        # -- Heartbeat.
        self._heartbeat: Timer | None = None
        self._heard = True

        websocket._outlet = self  # noqa: SLF001

    # -- Outlet: any thread ------------------------------------------------------

    def write(self, data: bytes) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self.retired or self.broken:
            raise ConnectionClosed("Cannot send on a terminated websocket")
        self._outbox.append(data)
        if not self._blocked and time.monotonic() >= self._hold_until:
            self._flush()

    def hold(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        # Who calls process() from elsewhere would have nobody to release the replies.
        if self._serving:
            self._hold_until = time.monotonic() + _HOLD_SECONDS

    def expect_end(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
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

    def started(self) -> None:
        """The loop has registered the descriptor."""
        self._registered = True
        if self._end_wanted:
            self.end()
            return
        websocket = self.websocket
        frequency = websocket.heartbeat_freq
        if frequency:
            self._heartbeat = self.loop.timers.after(frequency, lambda: self._beat(frequency))
        data, websocket.buf = websocket.buf, b""
        if data:
            # What came behind the handshake, now that opened() has run.
            self._process(data)
        if self.transport.buffers and not self.retired:
            # TLS may hold decrypted bytes that the poller will never announce.
            self._unread = True
            self.loop.again(self)
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
        if self.retired:
            return
        if not self.handed_over:
            self._end_wanted = True
            return
        self._retire()
        guarded(self.websocket.terminate)
        self._close()

    def expire(self) -> None:
        """End the connection with a reset; its time is over."""
        self._reset = True
        self.end()

    def let_go(self) -> None:
        """Stop serving the connection and leave it as it is. Any thread."""
        websocket = self.websocket
        with self._lock:
            if websocket._outlet is not self:  # noqa: SLF001
                # Its socket has been closed, and its end is on its way.
                return
            self._flush_held()
            websocket._blocking(websocket.sock).unsent = self._outbox.drain()  # noqa: SLF001
            websocket._outlet = None  # noqa: SLF001
            self._taken_away = True
        self._on_loop(self._retire)

    # -- Reading -----------------------------------------------------------------

    def _read(self) -> None:
        self._unread = False
        if self._taken_away:
            return
        if self._draining:
            self._discard()
        elif self._once_overridden:
            self._read_by_once()
        else:
            self._read_and_process()

    def _read_and_process(self) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                data = self.transport.recv(_READ_SIZE)
            except OSError as error:
                guarded(self.websocket.unhandled_error, error)
                self.end()
                return
            if data is None:
                return
            if not data:
                self.end()
                return
            if not self._process(data) or not self.transport.buffers or self._taken_away:
                return
            if self._outbox.size > _PAUSE_READING_ABOVE:
                break
        self._unread = True

    def _process(self, data: bytes) -> bool:
        self._heard = self._serving = True
        proceed = guarded(self.websocket.process, data, raised=_RAISED)
        if proceed is _RAISED:
            # The program's own process(): the peer is told as after a failed callback.
            self.websocket._fail(INTERNAL_ERROR, "the handler raised an exception")  # noqa: SLF001
            proceed = False
        self._release()
        if not proceed:
            self._drain()
        return bool(proceed)

    def _read_by_once(self) -> None:
        """The program reads the socket itself: it overrides ``once``."""
        self._heard = self._serving = True
        proceed = self._feed_once() if self.transport.buffers else guarded(self.websocket.once)
        self._release()
        if not proceed:
            self._drain()

    def _feed_once(self) -> bool:
        """Have it read what TLS has for it, and no more than that."""
        data: bytes | OSError | None
        try:
            data = self.transport.recv(_READ_SIZE)
        except OSError as error:
            data = error
        if data is None:
            return True
        self._unread = True
        proceed = feed_once(self.websocket, self.transport.sock, data)
        if isinstance(data, OSError) or not data:
            self.end()
        return proceed

    def _discard(self) -> None:
        """Throw away what comes behind the closing handshake, until the end."""
        for _ in range(_READS_PER_TURN):
            try:
                data = self.transport.recv(_READ_SIZE)
            except OSError:
                data = b""
            if data is None:
                return
            if not data:
                self.end()
                return
        self._unread = self.transport.buffers

    # -- Writing -----------------------------------------------------------------

    def _release(self) -> None:
        """Let out what was held back to leave together."""
        self._serving = False
        with self._lock:
            self._flush_held()

    def _flush_held(self) -> None:
        self._hold_until = 0.0
        if not self._blocked:
            self._flush()

    def _flush(self) -> None:
        """Write until the queue is empty or the kernel takes no more; lock held."""
        outbox = self._outbox
        try:
            while outbox.size and not self._blocked:
                head = outbox.head()
                sent = self.transport.send(head)
                if sent:
                    outbox.take(sent)
                # TLS takes a record at a time, so only "nothing" means "full".
                self._blocked = not sent or (sent < len(head) and not self.transport.buffers)
        except OSError as error:
            logger.debug("Connection lost while writing: %s", error)
            self.broken = True
            outbox.drain()
        if self._blocked or self.broken:
            self._on_loop(self._update)

    # -- State -------------------------------------------------------------------

    def _update(self) -> None:
        """Bring poller and half-close in line with the state."""
        if self.retired or not self._registered:
            return
        if self.broken:
            # Its own turn, since this may run in the middle of another's callback.
            self.loop.post(self._lose)
            return
        if self._draining and not self._outbox and not self._half_closed:
            self._half_closed = True
            self.transport.half_close()
        reading = self._draining or self._outbox.size <= _PAUSE_READING_ABOVE
        interest = (READ if reading else 0) | (WRITE if self._outbox else 0)
        if self.transport.wants_write:
            interest = WRITE
        if interest != self._interest:
            self._interest = interest
            self.loop.watch(self, interest)
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
        self._draining = True
        self._arm_deadline()

    def _arm_deadline(self) -> None:
        if self.retired:
            return
        stream = self.websocket.stream
        if stream is not None and stream.connection.reading_done:
            self._draining = True
        if self._deadline is None:
            self._deadline = self.loop.timers.after(self.websocket.close_timeout, self.expire)
        self._update()

    def _lose(self) -> None:
        """Writing has failed: take what the peer said before it left, then end."""
        for _ in range(_READS_PER_TURN):
            if not self.retired and not self._draining:
                self._read()
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
        for timer in (self._deadline, self._heartbeat):
            if timer is not None:
                timer.cancel()
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
                interrupt(self.transport.sock)

    def _on_loop(self, call: Any) -> None:
        if self.loop.is_current():
            call()
        else:
            self.loop.post(call)

    # -- Heartbeat ---------------------------------------------------------------

    def _beat(self, frequency: float) -> None:
        """Ping; end a connection that has been silent since the last ping."""
        if self._deadline is not None:
            # It is ending, and has its own time for that.
            return
        if not self._heard:
            logger.info("No sign of life within heartbeat_freq %s: closing", frequency)
            self.expire()
            return
        self._heard = False
        guarded(self.websocket.ping, b"")
        if not self.retired:
            self._heartbeat = self.loop.timers.after(frequency, lambda: self._beat(frequency))


def _overrides_once(websocket: WebSocket) -> bool:
    return type(websocket).once is not WebSocket.once or "once" in vars(websocket)
