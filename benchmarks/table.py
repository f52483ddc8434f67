"""Writes a run's document as Markdown. Every figure comes out of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.registry import REFERENCE
from benchmarks.scenarios import GROWING, MAIN, Scenario
from benchmarks.summary import beside_requests, means

Document = Mapping[str, Any]

# The generator's own core was all but full: messages/s may be its limit and not the server's.
_FULL = 0.9
_FEW = 100
# Where there is no figure.
NONE = "-"


def markdown(document: Document) -> str:
    """Return the whole report."""
    parts = [
        "# Measured",
        _machine(document),
        *_overview(document),
        *(
            part
            for scenario in (*MAIN.values(), *GROWING.values())
            if scenario.name in document["summary"]
            for part in _scenario(document, scenario)
        ),
        *_left_out(document),
        _versions(document),
    ]
    return "\n\n".join(parts) + "\n"


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body))


def number(value: float) -> str:
    """Return a figure with three digits that mean something."""
    if value >= _FEW:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _machine(document: Document) -> str:
    machine, run = document["machine"], document["run"]
    changed = run["changed_files"]
    state = f" with {changed} changed files" if changed else ""
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['kernel']}, "
        f"CPython {machine['python']}, {machine['compiler']}. Commit {run['commit'][:12]}{state}, "
        f"{run['started']}. Medians of {run['rounds']} rounds of {run['seconds']:g} s; server on "
        f"core {run['server_core']}, load on core {run['load_core']}; {run['descriptors']:,} "
        f"descriptors at most; load average before the run {run['load_average']:.2f}."
    )


def _overview(document: Document) -> Iterator[str]:
    """Yield the server's CPU µs in all scenarios, with the ratio to the reference behind it."""
    summary = document["summary"]
    columns = [each for each in MAIN.values() if each.name in summary and each.load != "idle"]
    if not columns:
        return
    behind = {
        title: found
        for title, found in (
            ("handshake / http", beside_requests(summary)),
            ("mean", means(summary)),
        )
        if found
    }
    head = ["server", *(each.name for each in columns), *behind]
    body = []
    for peer, described in document["peers"].items():
        cells = [_with_ratio(summary[each.name].get(peer)) for each in columns]
        cells += [f"{each[peer]:.2f}" if peer in each else NONE for each in behind.values()]
        if any(cell != NONE for cell in cells):
            body.append([described["title"], *cells])
    yield "## Server CPU, µs per message"
    yield (
        "In brackets the ratio to the C echo of the same run. A broadcast is counted per delivery, "
        "connect per connection, handshake per handshake, http per request. The mean is the "
        "geometric one of the ratios of the seven echo scenarios."
    )
    yield rows(head, body)


def _with_ratio(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return NONE
    ratio = f" ({figures['ratio']:.2f})" if "ratio" in figures else ""
    return number(figures["cpu_us"]) + ratio


def _scenario(document: Document, scenario: Scenario) -> Iterator[str]:
    cells = document["summary"][scenario.name]
    titles = {name: each["title"] for name, each in document["peers"].items()}
    yield f"## {scenario.name}: {scenario.title}"
    if scenario.load == "idle":
        yield _memory(cells, titles)
    else:
        yield _speed(cells, titles, scenario.unit)
    failed = {
        name: cell["failed"]
        for name, cell in document["results"][scenario.name].items()
        if "failed" in cell
    }
    if failed:
        yield "\n".join(f"- {titles[name]} failed: {one_line(why)}" for name, why in failed.items())


def _speed(cells: Mapping[str, Any], titles: Mapping[str, str], unit: str) -> str:
    head = [
        "server",
        f"CPU µs per {unit}",
        "± %",
        "ratio",
        f"{unit}s per second",
        "p50 µs",
        "p99 µs",
        "load's core busy",
        "system calls",
    ]
    body = [
        [
            titles[name],
            number(each["cpu_us"]),
            f"{each['spread'] * 50:.0f}",
            f"{each['ratio']:.2f}" if "ratio" in each else NONE,
            number(each["per_second"]),
            number(each["p50_us"]),
            number(each["p99_us"]),
            f"{each['load_busy'] * 100:.0f} %" + ("!" if each["load_busy"] > _FULL else ""),
            number(each["calls"]) if "calls" in each else NONE,
        ]
        for name, each in cells.items()
    ]
    text = rows(head, body)
    open_ones = [titles[name] for name, each in cells.items() if each.get("left_open")]
    if open_ones:
        text += (
            f"\n\nNot closed within 100 ms of the closing handshake, so that their connections per "
            f"second are those of the generator's patience: {', '.join(open_ones)}."
        )
    return text


def _memory(cells: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    steps = next(iter(cells.values()))["rss"] if cells else {}
    head = ["server", "bytes per connection", "± %", *(f"MiB at {int(n):,}" for n in steps)]
    body = [
        [
            titles[name],
            number(each["bytes"]),
            f"{each['spread'] * 50:.0f}",
            *(f"{size / 2**20:.1f}" for size in each["rss"].values()),
        ]
        for name, each in cells.items()
    ]
    return rows(head, body)


def _left_out(document: Document) -> Iterator[str]:
    missing = document["unavailable"]
    if missing:
        yield "## Not measured"
        yield "\n".join(f"- {name}: {one_line(why)}" for name, why in missing.items())


def _versions(document: Document) -> str:
    listed = [
        f"- {each['title']}: "
        + ", ".join(f"{name} {version}" for name, version in each["versions"].items())
        for name, each in document["peers"].items()
        if name != REFERENCE
    ]
    return "\n\n".join(["## Versions", "\n".join(listed)])


def one_line(text: str) -> str:
    """Return a reason as one line of a list."""
    return " ".join(text.split())
