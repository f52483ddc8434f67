"""A managed connection whose callbacks are run by workers: in order, and never two at once.

The loop goes on reading and answers pings; whatever the program is to hear of, the
closing handshake and the end included, waits its turn in a queue. While that is full,
the peer is not read from.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ws4py._engine.channel import Channel
from ws4py._engine.flow import HOLD_SECONDS
from ws4py._engine.guard import guarded
from ws4py._engine.handover import Handover
from ws4py._engine.loop import Loop
from ws4py._engine.pollers import READ
from ws4py._engine.workers import Workers

__all__ = ["WorkedChannel"]


class WorkedChannel(Channel):
    """A connection, its queue, and at most one worker that is at it.

    :param workers: who runs the callbacks.
    """

    defers = True

    __slots__ = ("_ending", "_gate", "_queue", "_queued", "_worker", "_workers")

    def __init__(self, loop: Loop, websocket: Any, workers: Workers) -> None:
        self._workers = workers
        # Over the next three.
        self._gate = threading.Lock()
        # With the size of each; None while no worker is at it.
        self._queue: deque[tuple[Callable[[], object], int]] | None = None
        self._queued = 0
        self._worker: int | None = None
        self._ending = False
        super().__init__(loop, websocket)
        if websocket.stream is not None and websocket.max_queue is not None:
            websocket.stream.connection.receive_few(max(1, websocket.max_queue))

    def _enter_lane(self) -> None:
        """The lane calls back by itself."""

    def is_heard(self) -> bool:
        """See :class:`ws4py._engine.pulse.Beating`; whom we do not read from is not silent."""
        self._heard = self._heard or self.is_full
        return super().is_heard()

    # -- The queue ---------------------------------------------------------------

    def defer(self, call: Callable[[], object], size: int) -> None:
        """See :class:`ws4py._outlet.Outlet`."""
        with self._gate:
            self._queued += size
            if self._queue is not None:
                self._queue.append((call, size))
                return
            self._queue = deque([(call, size)])
        self._workers.submit(self._work)

    def _work(self) -> None:
        """On a worker: what is queued now. Others have a turn before what comes meanwhile."""
        self._worker = threading.get_ident()
        queue = self._queue
        assert queue is not None
        if len(queue) > 1:
            with self._lock:
                self._hold_until = time.monotonic() + HOLD_SECONDS
        for _ in range(len(queue)):
            # The end may have emptied it meanwhile.
            if queue:
                guarded(queue[0][0])
                with self._gate:
                    self._queued -= queue.popleft()[1]
        with self._lock:
            if not self._ending:
                self._flush_held()
        self._worker = None
        with self._gate:
            done = not queue
            if done:
                self._queue = None
        if not done:
            self._workers.submit(self._work)
        if not self._interest & READ and not self.is_full:
            self._on_loop(self._update)

    def _update(self) -> None:
        super()._update()
        if not self._interest & READ and not self.is_full:
            # The worker may have made room, and seen that it is read, just before it was not.
            super()._update()

    @property
    def is_full(self) -> bool:
        """Whether the handler is so far behind that no more is read for it."""
        queue, websocket = self._queue, self.websocket
        if queue is None:
            return False
        most = sys.maxsize if websocket.max_queue is None else websocket.max_queue
        size = sys.maxsize if websocket.max_queue_size is None else websocket.max_queue_size
        return len(queue) > most or self._queued > size

    # -- The end -----------------------------------------------------------------

    def retire(self) -> bool:
        """See :class:`ws4py._outlet.Outlet`; a worker completes the end."""
        if self._ending and self._worker == threading.get_ident():
            return True
        self._interrupt()
        return not self.loop.post(self._complete)

    def end(self) -> None:
        """End the connection behind the callbacks that wait."""
        if self.retired or self._taken_away:
            return
        if not self.handed_over:
            self._end_wanted = True
            return
        self._retire()
        self.defer(self._finish, 0)

    def expire(self) -> None:
        """End the connection with a reset; a callback that is still at it does not delay that."""
        if self.retired or self._taken_away:
            return
        with self._gate:
            queue = self._queue
            # Nothing is delivered any more, but to who is at it.
            while queue is not None and len(queue) > 1:
                self._queued -= queue.pop()[1]
        super().expire()
        if queue is not None:
            self._cut_off()

    def _end_handover(self, handover: Handover) -> None:
        # Behind the callbacks that wait.
        self.defer(handover.end, 0)

    def _half_received(self) -> int:
        return super()._half_received() + self._queued

    def _finish(self) -> None:
        self._ending = True
        super()._finish()
