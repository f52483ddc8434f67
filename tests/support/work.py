"""Work counted instead of timed: how many lines of ws4py a call executes."""

import sys


def lines_executed(call) -> int:
    """Run ``call()`` and count the lines of ws4py that it executes, loops included.

    Nothing is counted for compiled code.
    """
    count = 0

    def trace(running, event, _argument):
        nonlocal count
        if not running.f_globals["__name__"].startswith("ws4py"):
            return None
        count += event == "line"
        return trace

    # Whoever measures coverage has a trace function too.
    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(previous)
    return count


def assert_linear(make, size: int) -> None:
    """Twice the input may cost twice the lines, and a fifth of tolerance.

    :param make: gives the call to measure for an input of so many bytes.
    """
    small, large = lines_executed(make(size)), lines_executed(make(2 * size))
    assert large <= 2.2 * small + 200, f"{small} lines for {size} bytes, {large} for twice that"
