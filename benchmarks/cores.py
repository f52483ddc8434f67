"""Which core does what: the server has one for itself, everything else stays on the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks.failure import BenchmarkError


class Cores(NamedTuple):
    """The server's core, and that of the load generator and of this program."""

    server: int
    load: int


def choose(server: int | None, load: int | None) -> Cores:
    """Return the cores asked for, or the first two that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchmarkError("two cores are needed: one for the server, one for the load")
    chosen = Cores(
        usable[0] if server is None else server,
        usable[1] if load is None else load,
    )
    if chosen.server == chosen.load or not {*chosen} <= {*usable}:
        raise BenchmarkError(f"choose two different cores of {usable}, not {tuple(chosen)}")
    return chosen


@contextmanager
def on(core: int) -> Iterator[None]:
    """Run what is inside on one core; programs started there inherit it, with all their threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
