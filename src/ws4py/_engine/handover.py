"""A connection on its way from the loop that has let it go to the one that has it next."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Handover"]


class Handover:
    """Keeps the next loop from reading before the last one has delivered what it had received."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._done = False
        self._next: Callable[[], object] | None = None

    def then(self, call: Callable[[], object]) -> bool:
        """Have ``call`` made at the end, for which there is one place.

        :returns: ``False`` when that has come, and the call is not made.
        """
        with self._gate:
            if not self._done:
                self._next = call
            return not self._done

    def end(self) -> None:
        """All is delivered."""
        with self._gate:
            self._done = True
            call, self._next = self._next, None
        if call is not None:
            call()
