"""Builds the storm, out of its own sources and those it shares with the benchmarks' generator."""

from __future__ import annotations

from pathlib import Path

from benchmarks import build as benchmarks_build
from benchmarks import commands, fingerprints
from benchmarks.failure import BenchmarkError
from chaos.failure import ChaosError

SOURCES = Path(__file__).resolve().parent / "c"
SHARED = ("opening", "frames", "support", "wire", "histogram")


def command(target: Path, flags: tuple[str, ...] = benchmarks_build.FLAGS) -> list[str]:
    """Return the command that builds the storm."""
    own = sorted(str(path) for path in SOURCES.glob("*.c"))
    shared = [str(benchmarks_build.SOURCES / f"{part}.c") for part in SHARED]
    include = ["-I", str(benchmarks_build.SOURCES)]
    return [benchmarks_build.compiler(), *flags, *include, "-o", str(target), *own, *shared]


def program(cache: Path) -> Path:
    """Return the storm, built now when a source is newer than it."""
    sources = [*SOURCES.iterdir(), *benchmarks_build.SOURCES.iterdir(), Path(__file__)]
    folder = cache / "bin" / fingerprints.of_files(sorted(sources))
    target = folder / "storm"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            commands.step(folder / "storm.log", command(target), SOURCES)
        except BenchmarkError as error:
            raise ChaosError(f"the storm does not build: {error}") from error
    return target
