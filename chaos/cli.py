"""The command line: which rows, on which server, and the files that a run leaves.

It ends with 0 only when every row that was asked for has passed, or stands in a list with the
reason why it is not run; in CI a row that this machine cannot run is a failure.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import cores, limits, machine
from benchmarks.build import compiler
from benchmarks.cores import Cores
from chaos import build, runner, table
from chaos.failure import ChaosError
from chaos.later import LISTED
from chaos.record import Record
from chaos.row import ROWS, Row
from chaos.rows import load_all, soak
from chaos.runner import Machine, Result
from chaos.target import SERVERS

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "chaos"
#: Two times ten thousand connections, and room for everything else.
DESCRIPTORS = 20_000
#: A run that lets a change in or not must not depend on how busy its machine is: there the times
#: only have to be of the right order, and everything else as it is.
_PATIENCE_OF_CI = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told and return the exit status."""
    load_all()
    options = _parse(arguments)
    if options.list:
        _list()
        return 0
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with _alone(CACHE / "lock"):
            results = [each for server in options.server for each in _run(options, server)]
    except ChaosError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 2
    if options.output is not None:
        _write_table(options.output)
    return _status(results)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="chaos/run.py", description="Attack ws4py's servers and see whether they hold."
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend"}
    parser.add_argument("--row", metavar="ROW", help="only these, as in D5 or B", **several)
    parser.add_argument("--server", choices=SERVERS, nargs="+", default=list(SERVERS))
    parser.add_argument("--quick", action="store_true", help="the part that CI runs")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="only the soak, this long")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--list", action="store_true", help="say what there is")
    options = parser.parse_args(arguments)
    if options.soak:
        soak.length.minutes = options.soak
        options.row = ["F7"]
    options.rows = _chosen(options.row, options.quick)
    if not options.rows:
        parser.error(f"there is no row {' '.join(options.row)}")
    return options


def _natural(name: str) -> tuple[str, int, str]:
    parts = re.fullmatch(r"([A-Z])(\d+)(.?)", name)
    assert parts is not None, name
    letter, number, more = parts.groups()
    return letter, int(number), more


def _chosen(names: list[str] | None, quick: bool) -> list[Row]:
    """Return the rows that are meant, those of cheap sections first."""
    every = [ROWS[name] for name in sorted(ROWS, key=_natural)]
    if names:
        wanted = {name.upper() for name in names}
        return [each for each in every if wanted & {each.name.upper(), each.name[0]}]
    return [each for each in every if each.quick or not quick]


def _list() -> None:
    for name in sorted(ROWS, key=_natural):
        print(f"  {name:4} {ROWS[name].title}")
    for name, listed in LISTED.items():
        print(f"  {name:4} {listed.title}: not run here: {listed.reason}")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs at once would attack each other's figures."""
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChaosError("another run is under way in this checkout") from None
        yield


def _machine() -> Machine:
    allowed = limits.raise_descriptors()
    if allowed < DESCRIPTORS:
        print(f"chaos: {allowed} descriptors a process; the rows S need {DESCRIPTORS}: ulimit -n")
    usable = sorted(os.sched_getaffinity(0))
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return Machine(build.program(CACHE), Cores(usable[0], usable[-1]), logs)


def _run(options: argparse.Namespace, server: str) -> list[Result]:
    """Run the rows against one server; each is written down as soon as it has ended."""
    place = _machine()
    if options.quick:
        place = place._replace(patience=_PATIENCE_OF_CI)
    began = time.monotonic()
    whole = not options.row and not options.quick
    record = Record(CACHE / f"{server}.jsonl", again=not whole)
    run = {"server": server, "load": machine.load_average(), **machine.describe(compiler())}
    results: list[Result] = []
    with cores.on(place.cores.load):
        for each in options.rows:
            result = runner.run(each, server, place)
            results.append(result)
            record.keep(result)
            print(table.line(result), flush=True)
    minutes = round((time.monotonic() - began) / 60, 1)
    if whole:
        record.close({**run, "minutes": minutes})
    passed = sum(each["passed"] for each in results)
    cannot = sum("cannot" in each for each in results)
    failed = len(results) - passed - cannot
    print(
        f"chaos: {server}: {passed} passed, {failed} failed, {cannot} cannot run here, "
        f"{minutes} minutes, see {record.path}",
        flush=True,
    )
    return results


def _write_table(target: Path) -> None:
    documents = [CACHE / f"{server}.jsonl" for server in SERVERS]
    text = table.markdown([each for each in documents if each.exists()])
    target.write_text(text, encoding="utf-8")
    print(f"chaos: written to {target}")


def _status(results: list[Result]) -> int:
    required = os.environ.get("CI") == "true" or os.environ.get("WS4PY_REQUIRE_ALL") == "1"
    bad = [
        each
        for each in results
        if not each["passed"] and ("cannot" not in each or (required and not each["listed"]))
    ]
    return 1 if bad or not results else 0
