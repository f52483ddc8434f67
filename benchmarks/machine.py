"""What the figures were measured on, so that nobody compares two machines by mistake."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from benchmarks import commands
from benchmarks.failure import UnavailableError

ROOT = Path(__file__).resolve().parent.parent


def describe(compiler: str) -> dict[str, Any]:
    """Return processor, kernel and tools."""
    return {
        "processor": processor(Path("/proc/cpuinfo").read_text(encoding="utf-8")),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "python": sys.version.split()[0],
        "compiler": commands.output_of([compiler, "--version"], ROOT).splitlines()[0],
    }


def processor(cpuinfo: str) -> str:
    """Return the processor's name out of the kernel's description."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model", "Hardware"}:
            return value.strip()
    return platform.machine()


def load_average() -> float:
    """Return how many processes wanted to run in the last minute."""
    return os.getloadavg()[0]


def commit() -> dict[str, Any]:
    """Return which state of the project was measured."""
    try:
        name = commands.output_of(["git", "rev-parse", "HEAD"], ROOT)
        changed = commands.output_of(["git", "status", "--porcelain"], ROOT)
    except UnavailableError:
        return {"commit": "unknown", "changed_files": None}
    return {"commit": name, "changed_files": len(changed.splitlines())}
