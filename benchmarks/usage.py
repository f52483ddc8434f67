"""What a server's processes have used: CPU seconds and memory, over the whole tree of them.

CPU seconds are the scheduler's own nanoseconds (CLOCK_PROCESS_CPUTIME_ID of the other process),
which hold user and system time of all its threads, those that have ended too. What the kernel did
in an interrupt is on the account of whoever was running; over loopback that is mostly the sender.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
KIB = 1024

_TICKS = os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None)


class Cpu(NamedTuple):
    """CPU time used so far, in seconds."""

    total: float
    user: float  # these two in the kernel's ticks, so coarse: their ratio is what they are for
    system: float

    def __sub__(self, earlier: Cpu) -> Cpu:
        """Return what was used between two readings."""
        return Cpu(
            self.total - earlier.total, self.user - earlier.user, self.system - earlier.system
        )


def tree(pid: int) -> list[int]:
    """Return a process and its descendants, oldest first."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            parent = _parent(entry)
            if parent is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += sorted(children.get(each, []))
    return found


def cpu(pids: Iterable[int]) -> Cpu:
    """Return what these processes have used together."""
    total, user, system = 0.0, 0.0, 0.0
    for pid in pids:
        total += time.clock_gettime(_clock_of(pid))
        fields = _stat(PROC / str(pid))
        user += int(fields[11]) / _TICKS
        system += int(fields[12]) / _TICKS
    return Cpu(total, user, system)


def rss(pids: Iterable[int]) -> int:
    """Return the bytes of memory that these processes hold, the sum of their VmRSS."""
    return sum(_rss_of(pid) for pid in pids)


def _rss_of(pid: int) -> int:
    for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * KIB
    return 0


def _clock_of(pid: int) -> int:
    clock = ctypes.c_int()
    error = _libc.clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, f"no CPU clock of process {pid}")
    return clock.value


def _stat(entry: Path) -> list[str]:
    """Return the fields behind the name, which may hold anything: the state is the first."""
    text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def _parent(entry: Path) -> int | None:
    try:
        return int(_stat(entry)[1])
    except OSError:
        # It has ended since the folder was listed.
        return None
