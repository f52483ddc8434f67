"""Builds the load generator and the reference server with the system's C compiler."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks import commands, fingerprints
from benchmarks.failure import BenchmarkError, UnavailableError

SOURCES = Path(__file__).resolve().parent / "c"
PROGRAMS: dict[str, tuple[str, ...]] = {
    "load": ("load", "traffic", "connects", "frames", "opening", "support", "histogram", "wire"),
    "echo": ("echo", "wire"),
}
# -O3 vectorises the masking. Warnings are errors in this project's tests, and not on a machine with
# a compiler that nobody here has seen.
FLAGS = ("-std=gnu11", "-O3", "-Wall", "-Wextra")


def compiler() -> str:
    """Return the command of the C compiler: $CC, or gcc, or cc."""
    for candidate in (os.environ.get("CC"), "gcc", "cc"):
        if candidate and shutil.which(candidate):
            return candidate
    raise BenchmarkError("no C compiler: install gcc (Debian: apt-get install gcc libc6-dev)")


def command(name: str, target: Path, flags: tuple[str, ...] = FLAGS) -> list[str]:
    """Return the command that builds a program."""
    files = [str(SOURCES / f"{part}.c") for part in PROGRAMS[name]]
    return [compiler(), *flags, "-o", str(target), *files]


def program(name: str, cache: Path) -> Path:
    """Return a program, built now when its sources are newer than it."""
    sources = sorted(path for path in SOURCES.iterdir() if path.suffix in {".c", ".h"})
    folder = cache / "bin" / fingerprints.of_files([*sources, Path(__file__)])
    target = folder / name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            commands.step(folder / f"{name}.log", command(name, target), SOURCES)
        except UnavailableError as error:
            raise BenchmarkError(f"{name}.c does not build: {error}") from error
    return target
