"""Boils the rounds down: medians, their spread, and the relation to the reference.

It knows numbers only: no sockets, no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import geometric_mean, median
from typing import Any

from benchmarks.registry import REFERENCE
from benchmarks.scenarios import ALL, MEAN_OF

Cell = Mapping[str, Any]
Summary = dict[str, dict[str, dict[str, Any]]]

_MEDIANS = ("cpu_us", "per_second", "p50_us", "p99_us", "server_busy", "load_busy", "bytes")


def summarise(results: Mapping[str, Mapping[str, Cell]]) -> Summary:
    """Return one set of figures for each scenario and peer; peers that failed are left out."""
    summary: Summary = {}
    for scenario, cells in results.items():
        figures = {name: _medians(cell) for name, cell in cells.items() if is_complete(cell)}
        main = _main(scenario)
        reference = figures.get(REFERENCE, {}).get(main)
        for each in figures.values():
            if reference:
                each["ratio"] = each[main] / reference
        summary[scenario] = figures
    return summary


def is_complete(cell: Cell) -> bool:
    """Tell whether every round of a peer has figures."""
    return bool(cell["rounds"]) and "failed" not in cell


def spread(values: Sequence[float]) -> float:
    """Return how far apart the rounds are, as a share of their median."""
    middle = median(values)
    return (max(values) - min(values)) / abs(middle) if middle else 0.0


def means(summary: Summary) -> dict[str, float]:
    """Return the geometric mean of the ratios for each peer that has all of MEAN_OF."""
    found: dict[str, float] = {}
    if not all(name in summary for name in MEAN_OF):
        return found
    for peer in summary[MEAN_OF[0]]:
        cells = [summary[name].get(peer, {}) for name in MEAN_OF]
        ratios = [float(cell["ratio"]) for cell in cells if "ratio" in cell]
        if len(ratios) == len(MEAN_OF):
            found[peer] = geometric_mean(ratios)
    return found


def beside_requests(summary: Summary) -> dict[str, float]:
    """Return what a handshake costs, with a plain request of the same server as the unit."""
    requests = summary.get("http", {})
    return {
        peer: float(figures["cpu_us"]) / float(requests[peer]["cpu_us"])
        for peer, figures in summary.get("handshake", {}).items()
        if peer in requests
    }


def _main(scenario: str) -> str:
    return "bytes" if ALL[scenario].load == "idle" else "cpu_us"


def _medians(cell: Cell) -> dict[str, Any]:
    rounds: list[dict[str, Any]] = cell["rounds"]
    figures: dict[str, Any] = {
        name: median([each[name] for each in rounds]) for name in _MEDIANS if name in rounds[0]
    }
    main = "bytes" if "bytes" in figures else "cpu_us"
    figures["spread"] = spread([each[main] for each in rounds])
    if "left_open" in rounds[0]:
        figures["left_open"] = sum(each["left_open"] for each in rounds)
    if "rss" in rounds[0]:
        steps = rounds[0]["rss"]
        figures["rss"] = {step: median([each["rss"][step] for each in rounds]) for step in steps}
    if "calls" in cell:
        figures["calls"] = cell["calls"]["per_message"]
    return figures
