"""One measurement: one server in one scenario, once.

The server is fresh, warm when its clock is first read, and its connections stay open until it has
been read again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import generator, server, syscalls, usage
from benchmarks.cores import Cores
from benchmarks.environments import Prepared
from benchmarks.failure import MeasurementError
from benchmarks.generator import Generator
from benchmarks.scenarios import IDLE_STEPS, Scenario
from benchmarks.server import Server

# Memory is read when two readings this far apart agree, or after the last of so many.
_SETTLE_SECONDS = 0.3
_SETTLE_READINGS = 15
_SETTLED_BYTES = 64 * usage.KIB

_REPORTED = ("messages", "seconds", "per_second", "p50_us", "p99_us", "left_open")

Figures = dict[str, Any]


class Bench(NamedTuple):
    """What all measurements of a run have in common."""

    load: Path  # the load generator
    cores: Cores
    logs: Path
    seconds: float
    warmup: float
    limit: int  # seconds after which the generator gives up, for itself


def take(bench: Bench, prepared: Prepared, scenario: Scenario) -> Figures:
    """Return the figures of one measurement."""
    with server.running(prepared, scenario, bench.cores.server, bench.logs) as each:
        if scenario.load == "idle":
            return _memory(bench, each, scenario)
        with _load(bench, each, scenario, bench.seconds) as load:
            before = _warm(each, load)
            report = _measured(load)
            used = usage.cpu(each.pids()) - before
            load.go_on()
    return _figures(report, used)


def count_calls(bench: Bench, prepared: Prepared, scenario: Scenario) -> Figures:
    """Return the system calls for each message, in total and by name."""
    output = bench.logs / f"{prepared.peer.name}-{scenario.name}.strace"
    # strace slows a server down until a full measurement's time would be many times its messages.
    seconds = min(bench.seconds, 1.0)
    with (
        server.running(prepared, scenario, bench.cores.server, bench.logs) as each,
        _load(bench, each, scenario, seconds) as load,
    ):
        _warm(each, load)
        with syscalls.counted(each.pids(), bench.cores.load, output) as counts:
            messages = int(_measured(load)["messages"])
    by_name = {name: n / messages for name, n in sorted(counts.items(), key=lambda x: -x[1])}
    return {"per_message": sum(by_name.values()), "by_name": by_name, "messages": messages}


def _load(bench: Bench, each: Server, scenario: Scenario, seconds: float) -> Any:
    options = ["--limit", str(bench.limit)]
    if scenario.load != "idle":
        options += ["--seconds", str(seconds), "--warmup", str(bench.warmup)]
    return generator.started(bench.load, scenario, each.port, bench.cores.load, options)


def _warm(each: Server, load: Generator) -> usage.Cpu:
    load.expect("open")
    load.go_on()
    load.expect("ready")
    return usage.cpu(each.pids())


def _measured(load: Generator) -> generator.Report:
    load.go_on()
    return load.expect("done")


def _figures(report: generator.Report, used: usage.Cpu) -> Figures:
    messages = report["messages"]
    if not messages:
        raise MeasurementError("no message was completed")
    ticks = used.user + used.system
    return {
        "cpu_us": used.total * 1e6 / messages,
        # Of a handful of ticks no share can be told.
        "system_share": used.system / ticks if ticks else None,
        "server_busy": used.total / report["seconds"],
        "load_busy": report["cpu_seconds"] / report["seconds"],
        **{name: report[name] for name in _REPORTED if name in report},
    }


def _memory(bench: Bench, each: Server, scenario: Scenario) -> Figures:
    """Read the memory before anybody came and at every size of the crowd."""
    held = {0: _settled(each)}
    with _load(bench, each, scenario, 0) as load:
        for step in IDLE_STEPS:
            load.expect("open")
            held[step] = _settled(each)
            load.go_on()
        load.expect("done")
    per_connection = (held[IDLE_STEPS[-1]] - held[0]) / IDLE_STEPS[-1]
    return {"rss": {str(step): size for step, size in held.items()}, "bytes": per_connection}


def _settled(each: Server) -> int:
    last = usage.rss(each.pids())
    for _ in range(_SETTLE_READINGS):
        time.sleep(_SETTLE_SECONDS)
        now = usage.rss(each.pids())
        if abs(now - last) <= _SETTLED_BYTES:
            return now
        last = now
    return last
