"""The command line: what is run, for how long, and what is said about it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz import jobs
from fuzz.crashes import Keeping
from fuzz.environment import atheris_python
from fuzz.inputs import committed
from fuzz.jobs import BUILDS, Job
from fuzz.kernel.shim import UnavailableError
from fuzz.targets import NAMES, load

__all__ = ["main", "planned"]

PARTS = (*NAMES, "differential", "machine", "kernel")

_SECONDS, _QUICK_SECONDS = 120.0, 30.0
#: What is counted instead of timed: for a whole run, and for a quick one.
_STREAMS, _QUICK_STREAMS = 20_000, 1_000
_SEEDS, _QUICK_SEEDS = 2_000, 100
_EXAMPLES = 300
#: Of the time, when there are counted parts beside.
_SHARE = 0.4
_AT_ONCE = 2


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="fuzz/run.py", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)}; all without it")
    add("--seconds", type=float, help=f"for all of it, about (default {_SECONDS:.0f})")
    add("--quick", action="store_true", help="a part of it, for CI: at most a minute")
    add("--engine", choices=("hypothesis", "atheris", "all"), default="all")
    add("--seed", type=int, help="begin with this seed; differential and kernel run it alone")
    add("--build", choices=BUILDS, help="of ws4py, for kernel (default: both)")
    add("--input", type=Path, metavar="FILE", help="give this to the target, and that is all")
    add("--corpus", action="store_true", help="give the committed inputs to the targets")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if options.input and (len(options.parts) != 1 or options.parts[0] not in NAMES):
        parser.error(f"an input needs its target, one of {', '.join(NAMES)}")
    options.parts = options.parts or list(PARTS)
    return options


def main(arguments: list[str]) -> int:
    """Run what was asked for; return 0 when nothing was found."""
    options = parse(arguments)
    targets = [part for part in options.parts if part in NAMES]
    if options.input:
        load(targets[0]).check(options.input.read_bytes())
        print(f"fuzz: {targets[0]}: every invariant holds for {options.input}")
        return 0
    _replay(targets)
    if options.corpus:
        return 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(Job.run, planned(options, targets)))
    print(f"fuzz: {len(found)} runs, {found.count(False)} of them failed")
    return 0 if all(found) else 1


def _replay(targets: list[str]) -> None:
    for target in targets:
        check, inputs = load(target).check, committed(target)
        with Keeping(target) as keeping:
            for keeping.data in inputs:
                check(keeping.data)
        print(f"fuzz: {target}: the {len(inputs)} inputs of the corpus hold", flush=True)


def planned(options: argparse.Namespace, targets: list[str]) -> list[Job]:
    """Return what is to be run: the longest first, so that nobody waits for it at the end."""
    plan: list[Job] = []
    quick, seed, parts = options.quick, options.seed, options.parts
    if "kernel" in parts:
        plan += _kernel(options)
    if "differential" in parts:
        streams = _QUICK_STREAMS if quick else _STREAMS
        plan.append(jobs.differential(seed or 0, streams if seed is None else 1))
    if "machine" in parts and not quick:
        # Who runs the quick part has run the tests, and so these with fewer examples.
        plan.append(jobs.machine(_EXAMPLES))
    plan += _bytes(options, targets, alone=not plan)
    return plan


def _kernel(options: argparse.Namespace) -> Iterator[Job]:
    seeds = _QUICK_SEEDS if options.quick else _SEEDS
    first, count = (0, seeds) if options.seed is None else (options.seed, 1)
    for build in BUILDS if options.build is None else [options.build]:
        try:
            yield jobs.kernel(build, first, count)
        except UnavailableError as error:
            if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
                raise
            print(f"fuzz: kernel ({build}): CANNOT RUN HERE: {error}", flush=True)


def _bytes(options: argparse.Namespace, targets: list[str], *, alone: bool) -> list[Job]:
    if not targets:
        return []
    wanted = {"hypothesis", "atheris"} if options.engine == "all" else {options.engine}
    if options.quick:
        # The other one may have to be installed.
        wanted.discard("atheris")
    python = atheris_python() if "atheris" in wanted else None
    engines = ("hypothesis" in wanted or python is None) + (python is not None)
    seconds = options.seconds or (_QUICK_SECONDS if options.quick else _SECONDS)
    share = seconds * (1 if alone else _SHARE) * _AT_ONCE / (engines * len(targets))
    share = max(1.0, min(seconds, share))
    found = []
    for target in targets:
        if "hypothesis" in wanted or python is None:
            found.append(jobs.by_hypothesis(target, share, options.seed or 0))
        if python is not None:
            found.append(jobs.by_atheris(target, share, python))
    return found
