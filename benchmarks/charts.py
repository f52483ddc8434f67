"""Draws a run's document as SVG.

It is run by itself in an environment that has matplotlib: `charts.py RESULTS.json FOLDER`. Every
figure comes out of the document, and nothing of this package is imported.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

REFERENCE = "c"
OURS = "#c2410c"
OLD = "#1d4ed8"
BLACK = "#111111"
GREY = "#9ca3af"
COLUMNS = 3
Document = dict[str, Any]


def colour(document: Document, name: str) -> str:
    """Return the colour that a server has in every chart."""
    if name == REFERENCE:
        return BLACK
    if document["peers"][name]["ours"]:
        return OURS
    return OLD if name.startswith("old-") else GREY


def panels(document: Document, target: Path) -> None:
    """Draw one panel for each scenario: the servers' CPU time, cheapest on top."""
    summary = document["summary"]
    names = [
        name
        for name, each in document["scenarios"].items()
        if not each["chart"] and each["load"] != "idle" and summary.get(name)
    ]
    if not names:
        return
    lines = math.ceil(len(names) / COLUMNS)
    most = max(len(summary[name]) for name in names)
    figure, axes = plt.subplots(
        lines, COLUMNS, figsize=(15, lines * (1 + 0.24 * most)), squeeze=False, layout="constrained"
    )
    for place in list(axes.flat)[len(names) :]:
        place.set_visible(False)
    for place, name in zip(axes.flat, names, strict=False):
        _panel(document, place, name)
    figure.suptitle("Server CPU time, µs (logarithmic)")
    _save(figure, target / "cpu.svg")


def _panel(document: Document, place: Any, name: str) -> None:
    cells = sorted(document["summary"][name].items(), key=lambda cell: -cell[1]["cpu_us"])
    values = [each["cpu_us"] for _, each in cells]
    titles = [document["peers"][peer]["title"] for peer, _ in cells]
    # Points and not bars: on a logarithmic axis a bar's length says nothing.
    place.scatter(values, titles, color=[colour(document, peer) for peer, _ in cells], zorder=2)
    for value, title in zip(values, titles, strict=True):
        text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        place.annotate(text, (value, title), (6, -2.5), textcoords="offset points", fontsize=7)
    scenario = document["scenarios"][name]
    place.set_title(f"{scenario['title']}\nper {scenario['unit']}", fontsize=9)
    place.set_xscale("log")
    place.xaxis.set_minor_formatter("")
    place.grid(visible=True, axis="y", alpha=0.4, zorder=0)
    place.margins(x=0.2)
    place.tick_params(labelsize=7)


def curves(document: Document, chart: str, label: str, target: Path) -> None:
    """Draw CPU time over the connections, or over the size of the messages."""
    points: dict[str, list[tuple[float, float]]] = {}
    for name, scenario in document["scenarios"].items():
        if scenario["chart"] != chart:
            continue
        x = scenario["connections" if chart == "connections" else "size"]
        for peer, each in document["summary"].get(name, {}).items():
            points.setdefault(peer, []).append((x, each["cpu_us"]))
    _lines(document, points, (label, "server CPU, µs per message"), target / f"grow-{chart}.svg")


def memory(document: Document, target: Path) -> None:
    """Draw the server's memory over its idle connections, less what it had before any came."""
    points: dict[str, list[tuple[float, float]]] = {}
    for peer, each in document["summary"].get("idle", {}).items():
        sizes = {int(step): size for step, size in each["rss"].items()}
        points[peer] = [
            (step, (size - sizes[0]) / 2**20)
            for step, size in sizes.items()
            if step and size > sizes[0]
        ]
    labels = ("idle connections", "memory above that of the empty server, MiB")
    _lines(document, points, labels, target / "grow-memory.svg")


def _lines(
    document: Document,
    points: dict[str, list[tuple[float, float]]],
    labels: tuple[str, str],
    target: Path,
) -> None:
    if not any(points.values()):
        return
    figure, place = plt.subplots(figsize=(10, 6), layout="constrained")
    markers = "osv^<>DPX*hpd"
    for number, (peer, found) in enumerate(points.items()):
        special = colour(document, peer) != GREY
        place.plot(
            [x for x, _ in sorted(found)],
            [y for _, y in sorted(found)],
            label=document["peers"][peer]["title"],
            color=colour(document, peer) if special else f"C{number % 10}",
            marker=markers[number % len(markers)],
            markersize=5,
            linewidth=2.2 if special else 1,
            alpha=1 if special else 0.6,
        )
    place.set_xscale("log")
    place.set_yscale("log")
    place.set_xlabel(labels[0])
    place.set_ylabel(labels[1])
    place.grid(visible=True, which="major", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    _save(figure, target)


def _save(figure: Any, target: Path) -> None:
    # Without a date, and with ids that depend on the drawing only, equal figures are equal files.
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)
    print(target)


def main() -> None:
    """Draw what the document has figures for."""
    document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    target = Path(sys.argv[2])
    mpl.rcParams["svg.hashsalt"] = "ws4py"
    panels(document, target)
    curves(document, "connections", "connections", target)
    curves(document, "size", "bytes in a message", target)
    memory(document, target)


if __name__ == "__main__":
    main()
