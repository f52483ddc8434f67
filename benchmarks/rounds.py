"""The order of a run: A B C, A B C, never A A A, B B B.

Whatever slows the machine down for a while then meets every server, and the reference too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from benchmarks.environments import Prepared
from benchmarks.failure import BenchmarkError
from benchmarks.measure import Bench, Figures, count_calls, take
from benchmarks.scenarios import Scenario

Results = dict[str, dict[str, dict[str, Any]]]
Measurement = Callable[[Bench, Prepared, Scenario], Figures]


class Plan(NamedTuple):
    """What a run consists of."""

    scenarios: Sequence[Scenario]
    peers: Sequence[Prepared]
    rounds: int
    calls: bool  # count the system calls too


def order(rounds: int, peers: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield round and peer; every other round goes the other way: nobody is always first."""
    for number in range(rounds):
        yield from ((number, peer) for peer in (peers if number % 2 == 0 else peers[::-1]))


def execute(
    bench: Bench,
    plan: Plan,
    say: Callable[[str], None],
    measure: Measurement = take,
    count: Measurement = count_calls,
) -> Results:
    """Measure all of it: per scenario and peer the figures of each round, or why there are none."""
    results: Results = {}
    for scenario in plan.scenarios:
        meant = {
            each.peer.name: each for each in plan.peers if each.peer.page or not scenario.needs_page
        }
        cells: dict[str, dict[str, Any]] = {name: {"rounds": []} for name in meant}
        for number, name in order(plan.rounds, list(meant)):
            cell = cells[name]
            if "failed" not in cell:
                say(f"{scenario.name}: round {number + 1} of {plan.rounds}, {name}")
                _attempt(cell, "rounds", measure, bench, meant[name], scenario)
        if plan.calls and scenario.load != "idle":
            for name, cell in cells.items():
                if "failed" not in cell:
                    say(f"{scenario.name}: system calls, {name}")
                    _attempt(cell, "calls", count, bench, meant[name], scenario)
        results[scenario.name] = cells
    return results


def _attempt(
    cell: dict[str, Any],
    where: str,
    measure: Measurement,
    bench: Bench,
    prepared: Prepared,
    scenario: Scenario,
) -> None:
    """Put the figures, or the reason why there are none, into the cell."""
    try:
        figures = measure(bench, prepared, scenario)
    except (BenchmarkError, OSError) as error:
        # OSError: the server's process ended while its usage was being read.
        cell["failed" if where == "rounds" else "calls_failed"] = str(error)
        return
    if where == "rounds":
        cell["rounds"].append(figures)
    else:
        cell[where] = figures
