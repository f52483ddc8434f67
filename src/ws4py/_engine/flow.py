"""The bytes of one managed connection, in and out: from the socket to the program, and back.

Two ways: by Python, for every kind of socket and program, or in the fast lane, which
leaves to Python whatever is not the common case. How a connection begins and ends is
the business of :mod:`ws4py._engine.channel`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ws4py._engine.fed import feed_once
from ws4py._engine.guard import guarded
from ws4py._engine.lane import fits
from ws4py._engine.loop import Loop
from ws4py._engine.outbox import Outbox
from ws4py._engine.pollers import READ
from ws4py._log import logger
from ws4py._transport import is_tls, transport_for
from ws4py._wire.codes import INTERNAL_ERROR
from ws4py.exc import ConnectionClosed
from ws4py.protocol.state import OPEN
from ws4py.websocket import WebSocket

if TYPE_CHECKING:
    from ws4py._engine.lane_c import Link

__all__ = ["HOLD_SECONDS", "Flow"]

_READ_SIZE = 64 * 1024
#: Reads of one connection in one turn, where more may wait above the kernel.
_READS_PER_TURN = 16
#: How long replies may wait for each other. A handler that takes longer than this
#: gets its replies out one by one, as they are made.
HOLD_SECONDS = 0.005
#: How long one connection is served while others may be waiting. Many that send as fast as they
#: can hold up each other, and the others by as much as all of them have together.
_SHARE_SECONDS = 0.001

#: In place of a queue while the lane has its own.
_UNUSED = Outbox()
_RAISED = object()


class Flow:
    """What a connection's loop and its program exchange."""

    #: See :class:`ws4py._outlet.Outlet`.
    defers = False

    # There are as many as connections.
    __slots__ = (
        "_blocked",
        "_draining",
        "_early",
        "_heard",
        "_hold_until",
        "_interest",
        "_link",
        "_lock",
        "_once_overridden",
        "_outbox",
        "_serving",
        "_taken_away",
        "_unread",
        "broken",
        "fd",
        "loop",
        "retired",
        "transport",
        "websocket",
    )

    def __init__(self, loop: Loop, websocket: WebSocket) -> None:
        self.loop = loop
        self.websocket = websocket
        unsent = self._take_over()
        self.fd = self.transport.fileno()
        self._once_overridden = _overrides_once(websocket)

        # -- Outgoing: under the connection's lock.
        self._lock = websocket._lock  # noqa: SLF001 - the two are one mechanism
        self._outbox = Outbox()
        self._outbox.append(unsent)
        self._blocked = False
        self.broken = False
        self._hold_until = 0.0
        # In the fast lane, which then does all reading and sending.
        self._link: Link | None = None

        # -- Incoming: the loop's thread only.
        self._serving = False
        self._unread = False
        self._early = b""
        self._heard = True
        self._interest = READ

        # -- How far it has come.
        self._draining = False
        self._taken_away = False
        self.retired = False

    def _take_over(self) -> bytes:
        """Have the socket from whoever had it; return what that one left unsent."""
        websocket, unsent = self.websocket, b""
        if websocket._own_io is None and not is_tls(websocket.sock):  # noqa: SLF001
            # The usual case; nothing is kept for it.
            self.transport = transport_for(websocket.sock)
        else:
            blocking = websocket._blocking(websocket.sock)  # noqa: SLF001 - it has TLS's lock
            self.transport = blocking.transport or transport_for(websocket.sock)
            unsent, blocking.unsent = blocking.unsent, b""
            # The program may have changed the socket since its transport was made.
            self.transport.take_over()
        return unsent

    # -- Of the channel ----------------------------------------------------------

    def end(self) -> None:
        """See :class:`ws4py._engine.channel.Channel`, as for the next ones."""
        raise NotImplementedError

    def expire(self) -> None:
        raise NotImplementedError

    def _drain(self) -> None:
        raise NotImplementedError

    def _update(self) -> None:
        raise NotImplementedError

    def _watch(self, interest: int) -> None:
        raise NotImplementedError

    def _again(self) -> None:
        raise NotImplementedError

    #: See :class:`ws4py._engine.pressure.PressedFlow`, as for the next ones.
    soft_limit: int

    def _note_progress(self) -> None:
        raise NotImplementedError

    def _tell_waiting(self) -> None:
        raise NotImplementedError

    def _count(self) -> None:
        raise NotImplementedError

    def _on_loop(self, call: Callable[[], object]) -> None:
        if self.loop.is_current():
            call()
        else:
            self.loop.post(call)

    # -- Outlet: any thread ------------------------------------------------------

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken yet."""
        link = self._link
        return self._outbox.size if link is None else link.unsent

    def write(self, data: bytes) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self.retired or self.broken:
            raise ConnectionClosed("Cannot send on a terminated websocket")
        if self._link is not None:
            self._link.write(data)
            return
        self._outbox.append(data)
        if self._blocked:
            return
        # Nobody is taken for slow because of what we have held back ourselves.
        if time.monotonic() >= self._hold_until or self._outbox.size > self.soft_limit:
            self._flush()

    def post(self, data: bytes) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self._link is not None and not (self.retired or self.broken):
            self._link.post(data)
        else:
            self.write(data)

    def put_back(self, data: bytes) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self._link is not None:
            self._link.put_back(data)
            return
        self._early = data + self._early
        self._unread = True

    def hold(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        # Who calls process() from elsewhere would have nobody to release the replies. The
        # lane holds replies by itself.
        if self._serving and self._link is None:
            self._hold_until = time.monotonic() + HOLD_SECONDS

    def defer(self, call: Callable[[], object], size: int) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        raise NotImplementedError

    @property
    def is_full(self) -> bool:
        """Whether the program has to take what was read before more is read for it."""
        return False

    def narrow(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self._link is not None:
            self._link.narrow()

    def widen(self) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        if self._link is not None:
            self._link.widen()

    # -- The fast lane -----------------------------------------------------------

    def _enter_lane(self) -> None:
        lane, websocket = self.loop.lane, self.websocket
        ending = self.retired or self.broken or self._draining
        if lane is None or ending or not fits(websocket, self.transport):
            return
        stream = websocket.stream
        assert stream is not None
        with self._lock:
            connection = stream.connection
            if connection.state is not OPEN:
                # Closed by another thread since it was handed over; the loop hears of it next.
                return
            largest = connection.largest_message
            # Answers to what came behind the handshake may not have fit. The lane takes it that
            # the poller waits for reading, and makes that writing if it has to.
            self._watch(READ)
            self._link = lane.attach(self.fd, self, websocket, connection, largest, self.soft_limit)
            self._link.write(self._outbox.drain())
            self._outbox = _UNUSED
            self._blocked = self._unread = False
            early, self._early = self._early, b""
            if early:
                self._link.put_back(early)
            websocket._take = self._link  # noqa: SLF001

    def _leave_lane(self) -> None:
        """Serve the connection without the lane from now on; it does not come back."""
        if self._link is None:
            return
        with self._lock:
            link, self._link = self._link, None
            self.websocket._take = None  # noqa: SLF001
            self._outbox = Outbox()
            for piece in link.surrender():
                self._outbox.append(piece)
            self._early = link.detach()
            self._heard = self._heard or link.heard
        self._interest = link.watched
        if self._early and not self.retired:
            self._again()
        with self._lock:
            self._flush_held()
        self._tell_waiting()

    def feed(self, data: bytes) -> None:
        """From the lane: what it does not serve itself."""
        if self._taken_away or self._is_ours():
            self._begin_share()
            self._process(data)
        if self._early:
            self._update()

    def callback_failed(self, error: BaseException) -> None:
        """From the lane: the program's ``received_message`` raised."""
        websocket = self.websocket
        if not websocket._callback_raised(websocket.received_message, error):  # noqa: SLF001
            self._drain()

    def link_ended(self) -> None:
        """From the lane: the peer has ended the connection."""
        self.loop.end_later(self.fd, self.end)

    def link_lost(self, error: OSError) -> None:
        """From the lane: reading has failed."""
        self.loop.end_later(self.fd, lambda: self._end_lost(error))

    def _end_lost(self, error: OSError) -> None:
        if not self.retired:
            guarded(self.websocket.unhandled_error, error)
            self.end()

    def link_broken(self, error: OSError) -> None:
        """From the lane, on any thread: writing has failed."""
        logger.debug("Connection lost while writing: %s", error)
        self.broken = True
        self._on_loop(self._update)

    def link_crashed(self, error: Exception) -> None:
        """From the lane: an error of ours, which costs one connection and not the thread."""
        logger.error("A connection ended by an internal error", exc_info=error)
        guarded(self.expire)

    # -- Reading -----------------------------------------------------------------

    def _read(self) -> None:
        self._unread = False
        if not self._is_ours():
            # Taken away, or closed by another connection's callback in this turn.
            return
        self._begin_share()
        if self._early and not self._draining and not self._process_early():
            return
        if self._draining:
            self._discard()
        elif self._once_overridden:
            self._read_by_once()
        else:
            self._read_and_process()

    def _process_early(self) -> bool:
        """Process what was put back; whether to read on."""
        if not self._is_ahead():
            early, self._early = self._early, b""
            if not self._process(early) or self._early:
                return False
        self._unread = self._is_ahead()
        return not self._unread

    def _is_ahead(self) -> bool:
        """Whether the peer is not read from, until it has read, or its handler is done."""
        return not self._draining and (self._outbox.size > self.soft_limit or self.is_full)

    def _begin_share(self) -> None:
        self.loop.share_until = time.monotonic() + _SHARE_SECONDS

    def _had_its_share(self) -> bool:
        """Whether it is for others to be served, though there may be more to process."""
        return time.monotonic() >= self.loop.share_until

    def _read_and_process(self) -> None:
        for _ in range(_READS_PER_TURN):
            try:
                data = self.transport.recv(_READ_SIZE)
            except OSError as error:
                self.link_lost(error)
                return
            if data is None:
                return
            if not data:
                self.link_ended()
                return
            if not self._process(data) or self._taken_away:
                return
            if not self.transport.buffers and not self._early:
                return
            if self._is_ahead() or self._early or self._had_its_share():
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
        self._count()
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
                self.link_ended()
                return
        self._unread = self.transport.buffers

    # -- Writing -----------------------------------------------------------------

    def _release(self) -> None:
        """Let out what was held back to leave together."""
        self._serving = False
        if self._link is None:
            with self._lock:
                self._flush_held()

    def _flush_held(self) -> None:
        self._hold_until = 0.0
        if self._link is not None:
            self._link.flush()
        elif not self._blocked:
            self._flush()

    def _flush(self, anyway: bool = False) -> None:
        """Write until the queue is empty or the kernel takes no more; lock held.

        :param anyway: ask the kernel even if it has taken no more before.
        """
        outbox, known = self._outbox, self._blocked
        blocked = known and not anyway
        try:
            while outbox.size and not blocked:
                head = outbox.head()
                sent = self.transport.send(head)
                if sent:
                    outbox.take(sent)
                    self._note_progress()
                # TLS takes a record at a time, so only "nothing" means "full".
                blocked = not sent or (sent < len(head) and not self.transport.buffers)
        except OSError as error:
            logger.debug("Connection lost while writing: %s", error)
            self.broken = True
            outbox.drain()
        self._blocked = blocked
        if blocked and not known:
            self._count()
        if self.broken or (blocked and not known):
            self._on_loop(self._update)

    def _is_ours(self) -> bool:
        """Whether the connection still sends through this loop."""
        outlet: Any = self.websocket._outlet  # noqa: SLF001
        return outlet is self


def _overrides_once(websocket: WebSocket) -> bool:
    return getattr(websocket.once, "__func__", None) is not WebSocket.once
