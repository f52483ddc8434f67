"""How much memory all connections of a manager hold together: one budget for them all.

Only what is large is counted, by connection: what is unsent and what has been received
of messages that are not complete. So the whole is bounded by the budget plus, for each
connection, the small amount that is not counted. It knows of a connection only how to
give it up.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

__all__ = ["COUNTED_FROM", "Holder", "Ledger"]

#: Bytes below which a connection need not be counted.
COUNTED_FROM = 64 * 1024

#: Bytes by which what the lanes hold may grow before they ask again.
_STEP = 4 * 1024 * 1024


class Holder(Protocol):
    """Who holds something."""

    def run_out_of_memory(self) -> None:
        """Hold nothing any more. Any thread."""


class Ledger:
    """What is held, against a budget. Thread-safe.

    :param budget: bytes, ``None`` for no limit.
    """

    def __init__(self, budget: int | None) -> None:
        #: Bytes.
        self.budget = budget
        self._gate = threading.Lock()
        self._held: dict[Holder, int] = {}
        self._total = 0
        # They count by themselves; the GIL makes their figures consistent.
        self._lanes: list[Any] = []

    @property
    def reason(self) -> str:
        """Why somebody has to go."""
        return f"memory_budget {self.budget} of all connections is used up"

    @property
    def total(self) -> int:
        """Bytes that are held."""
        in_lanes: int = sum(lane.held for lane in self._lanes)
        return self._total + in_lanes

    def note(self, holder: Holder, size: int) -> None:
        """Note what somebody holds now; when that is too much, who holds most is given up.

        Not who happens to come next, which may be one that is well.
        """
        with self._gate:
            before = self._held.get(holder, 0)
            self._held[holder] = size
            self._total += size - before
            if size <= before or self.affords():
                return
            most = max(self._held, key=self._held.__getitem__)
            self._total -= self._held.pop(most)
        most.run_out_of_memory()

    def forget(self, holder: Holder) -> None:
        """Nothing is held any more."""
        with self._gate:
            self._total -= self._held.pop(holder, 0)

    def count(self, lane: Any) -> None:
        """Count what a lane says it holds, too."""
        self._lanes.append(lane)
        self.affords()

    def affords(self) -> bool:
        """Whether the budget is not used up."""
        left = _STEP if self.budget is None else self.budget - self.total
        if self._lanes:
            step = max(0, min(_STEP, left // len(self._lanes)))
            for lane in self._lanes:
                lane.allowed = lane.held + step
        return left >= 0
