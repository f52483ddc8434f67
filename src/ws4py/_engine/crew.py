"""Several loops as one: each in a thread of its own, each connection in one of them.

It starts and stops them together and deals out the newcomers; the loops know nothing
of each other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from ws4py._engine.ledger import Ledger
from ws4py._engine.loop import Entry, Loop
from ws4py._engine.pollers import LoopPoller

__all__ = ["Crew"]


class Crew:
    """Loops that are run once, by :meth:`run`; everything else may be called from any thread.

    :param make_pollers: one for each loop, called on that loop's thread.
    :param on_forget: told of each entry that has left.
    :param budget: bytes that all of them may hold together, ``None`` for no limit.
    """

    def __init__(
        self,
        make_pollers: list[Callable[[], LoopPoller]],
        on_forget: Callable[[Entry], None],
        budget: int | None = None,
    ) -> None:
        #: What they all hold together.
        self.ledger = Ledger(budget)
        self._loops = [Loop(make, on_forget, self.ledger) for make in make_pollers]
        self._turns = itertools.count()

    def __len__(self) -> int:
        return len(self._loops)

    def pick(self) -> Loop:
        """Return the loop that is to serve the next connection: one after the other."""
        return self._loops[next(self._turns) % len(self._loops)]

    def run(self, name: str) -> None:
        """Serve until :meth:`stop`, the first loop on the calling thread.

        :param name: of the thread; the others are numbered.
        """
        first, *others = self._loops
        daemon = threading.current_thread().daemon
        threads = [
            threading.Thread(target=loop.run, name=f"{name}-{number}", daemon=daemon)
            for number, loop in enumerate(others, 2)
        ]
        for thread in threads:
            thread.start()
        try:
            first.run()
        finally:
            # Told already, unless the first has ended by an error.
            for loop in others:
                loop.stop(0)
            for thread in threads:
                thread.join()

    def refuse(self, code: int, reason: str) -> None:
        """Say goodbye to everybody, and to whoever still comes."""
        for loop in self._loops:
            loop.refuse(code, reason)

    def stop(self, timeout: float) -> None:
        """End :meth:`run` when everybody has left, after ``timeout`` seconds at the most."""
        for loop in self._loops:
            loop.stop(timeout)

    def wake(self) -> None:
        """Have every loop take a turn: something has been queued for its connections."""
        for loop in self._loops:
            loop.wake()
