"""The command line: one run, and the files that it leaves.

It ends with 0 only when ws4py and the reference have figures everywhere; that another server failed
is a result.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks import (
    build,
    choosing,
    commands,
    cores,
    environments,
    limits,
    machine,
    rounds,
    syscalls,
    table,
)
from benchmarks.environments import ROOT, Prepared
from benchmarks.failure import BenchmarkError, UnavailableError
from benchmarks.measure import Bench
from benchmarks.registry import PEERS, REFERENCE
from benchmarks.scenarios import ALL
from benchmarks.summary import is_complete, summarise

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "bench"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told and return the exit status."""
    options = _parse(arguments)
    if options.list:
        _list()
        return 0
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        with _alone(CACHE / "lock"):
            return _run(options)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py", description="Measure ws4py beside C and beside its peers."
    )
    several: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument(
        "--scenario", metavar="NAME", help="names, patterns, growing, all", **several
    )
    parser.add_argument("--peer", metavar="NAME", help="names, patterns, ours", **several)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--limit", type=int, default=300, metavar="SECONDS", help="for one load")
    parser.add_argument("--server-core", type=int)
    parser.add_argument("--load-core", type=int)
    parser.add_argument("--no-calls", action="store_true", help="do not count system calls")
    parser.add_argument("--no-charts", action="store_true")
    parser.add_argument("--update", action="store_true", help="take the peers' newest releases")
    parser.add_argument("--output", type=Path, default=HERE / "results", metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="say what there is to measure")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0 or options.warmup < 0:
        parser.error("rounds and seconds must be more than none")
    return options


def _list() -> None:
    print("scenarios:", *(f"  {each.name:24} {each.title}" for each in ALL.values()), sep="\n")
    print("peers:", *(f"  {each.name:24} {each.title}" for each in PEERS.values()), sep="\n")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two runs at once would measure each other."""
    with path.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError("another run is under way in this checkout") from None
        yield


def _run(options: argparse.Namespace) -> int:
    scenarios = choosing.scenarios(options.scenario)
    chosen = cores.choose(options.server_core, options.load_core)
    load = build.program("load", CACHE)
    prepared, unavailable = _prepare(options)
    calls = not options.no_calls and _strace(unavailable)
    document: dict[str, Any] = {
        "run": {
            **machine.commit(),
            "started": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "rounds": options.rounds,
            "seconds": options.seconds,
            "warmup": options.warmup,
            "server_core": chosen.server,
            "load_core": chosen.load,
            "descriptors": limits.raise_descriptors(),
            "load_average": machine.load_average(),
        },
        "machine": machine.describe(build.compiler()),
        "scenarios": {each.name: each._asdict() for each in scenarios},
        "peers": {
            each.peer.name: {
                "title": each.peer.title,
                "ours": each.peer.ours,
                "versions": each.versions,
                "installed": each.installed,
            }
            for each in prepared
        },
        "unavailable": unavailable,
    }
    bench = Bench(load, chosen, CACHE / "logs", options.seconds, options.warmup, options.limit)
    plan = rounds.Plan(scenarios, prepared, options.rounds, calls)
    with cores.on(chosen.load):
        document["results"] = rounds.execute(bench, plan, lambda text: print(text, flush=True))
    document["summary"] = summarise(document["results"])
    _write(document, options)
    return _status(document)


def _prepare(options: argparse.Namespace) -> tuple[list[Prepared], dict[str, str]]:
    """Return the peers that can be had here, and why the others cannot."""
    prepared, unavailable = [], {}
    made: set[str] = set()
    for peer in choosing.peers(options.peer):
        # Peers that share an environment are brought up to date once.
        update = options.update and peer.folder not in made
        made.add(peer.folder)
        try:
            prepared.append(environments.prepare(peer, CACHE, update=update))
        except UnavailableError as error:
            print(f"benchmarks: {peer.name} is not to be had: {error}", flush=True)
            unavailable[peer.name] = str(error)
    return prepared, unavailable


def _strace(unavailable: dict[str, str]) -> bool:
    try:
        syscalls.available(CACHE)
    except UnavailableError as error:
        unavailable["the counts of system calls"] = str(error)
        return False
    return True


def _write(document: dict[str, Any], options: argparse.Namespace) -> None:
    target: Path = options.output
    target.mkdir(parents=True, exist_ok=True)
    results = target / "results.json"
    if not options.no_charts:
        _draw(document, results)
    results.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = table.markdown(document)
    (target / "results.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {target}")


def _draw(document: dict[str, Any], results: Path) -> None:
    """Draw the charts; a machine without matplotlib gets the figures without them, and is told."""
    results.write_text(json.dumps(document), encoding="utf-8")
    try:
        python = environments.tool("charts", ("matplotlib",), CACHE)
        script = str(HERE / "charts.py")
        print(commands.output_of([python, script, str(results), str(results.parent)], ROOT))
    except UnavailableError as error:
        print(f"benchmarks: no charts: {error}")
        document["unavailable"]["the charts"] = str(error)


def _status(document: dict[str, Any]) -> int:
    """Return 1 where the reference, or a server of ours, has no figures."""
    needed = {REFERENCE, *(name for name, each in document["peers"].items() if each["ours"])}
    asked = {name for name in document["unavailable"] if name in PEERS and PEERS[name].ours}
    missing = [
        f"{scenario}: {name}"
        for scenario, cells in document["results"].items()
        for name, cell in cells.items()
        if name in needed and not is_complete(cell)
    ]
    for each in [*missing, *sorted(asked)]:
        print(f"benchmarks: no figures: {each}", file=sys.stderr)
    return 1 if missing or asked else 0
