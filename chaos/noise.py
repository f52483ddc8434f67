"""What the rest of the machine did meanwhile: a time measured on a busy one says little."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks import usage

#: Of one core: from here on a time that is too long is measured again.
BUSY = 0.25

_TICKS = os.sysconf("SC_CLK_TCK")


class Reading(NamedTuple):
    """CPU seconds so far."""

    at: float
    machine: float
    ours: float


def read() -> Reading:
    """Take a reading; what has ended meanwhile is in the parent's account."""
    words = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=8)
    user, nice, system, _idle, _wait, irq, softirq = map(int, words[1:8])
    ours = sum(os.times()[2:4])
    for pid in usage.tree(os.getpid()):
        with suppress(OSError):
            ours += usage.cpu([pid]).total
    return Reading(time.monotonic(), (user + nice + system + irq + softirq) / _TICKS, ours)


def others_since(before: Reading) -> float:
    """Return how much of a core everybody else has used since then."""
    after = read()
    used = (after.machine - before.machine) - (after.ours - before.ours)
    return max(0.0, used / (after.at - before.at))
