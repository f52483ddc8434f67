"""Deadlines of many connections on one heap: O(log n) each, one clock.

It knows when, not what: a timer is a callable and a time of the monotonic clock.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable

__all__ = ["Timer", "Timers"]

_DAY = 86_400.0


class Timer:
    """One deadline; :meth:`cancel` makes it forget its callable at once."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: float, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.callback = None


class Timers:
    """The deadlines of one loop; used from its thread only.

    :param on_new: called for each new one, since it may be the next.
    """

    def __init__(self, on_new: Callable[[], None]) -> None:
        self._on_new = on_new
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` once, ``seconds`` from now."""
        timer = Timer(time.monotonic() + seconds, callback)
        heapq.heappush(self._heap, (timer.deadline, next(self._order), timer))
        self._on_new()
        return timer

    def wait(self) -> float | None:
        """Seconds until the next deadline, 0 when it has passed, ``None`` without one.

        A day at the most, since systems take no arbitrarily long time.
        """
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        return min(max(0.0, heap[0][0] - time.monotonic()), _DAY) if heap else None

    def due(self) -> list[Callable[[], None]]:
        """Take out what is due."""
        now = time.monotonic()
        heap = self._heap
        callbacks = []
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            if timer.callback is not None:
                callbacks.append(timer.callback)
                timer.callback = None
        return callbacks
