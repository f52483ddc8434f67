"""Waiting for something to become true, with a deadline and without guessing a time."""

import time
from collections.abc import Callable

#: Far above what anything here takes; it only ends a test that fails.
DEADLINE = 20.0


def wait_until(condition: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Return when ``condition()`` is true; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never became true: {condition}"
        time.sleep(0.005)
