"""Waiting for what happens in another process.

Slower than tests.support.waiting, as each look costs the browser or the demo some work of its own.
"""

import time

DEADLINE = 30.0
PAUSE = 0.05


def wait_until(condition, what, seconds=DEADLINE):
    """Return the condition's first true result; fail, naming what was waited for, after that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"still not so after {seconds:.0f} s: {what}"
        time.sleep(PAUSE)
