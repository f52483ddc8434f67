"""Runs one row: a fresh server, witnesses, the attack, and what has to hold after every attack."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cores import Cores
from chaos import certificates, network, noise, target, witness
from chaos.arena import Arena
from chaos.failure import CannotRunHereError, ChaosError
from chaos.row import Row
from chaos.settings import DESCRIPTORS_LEFT, Settings
from chaos.storm import pause
from chaos.target import Wanted
from chaos.wire import TEXT, frame

#: How long witnesses are at work before the attack, and behind it.
BEFORE, AFTER = 0.5, 2.0

#: What they have to see, in milliseconds.
ECHO_P99, ECHO_WORST, HTTP_P99 = 100.0, 500.0, 250.0

ATTEMPTS = 3

Result = dict[str, Any]


class Machine(NamedTuple):
    """What the rows run on.

    :param program: the storm.
    :param logs: where the servers' logs are left.
    :param patience: how many times longer everything may take than it ought to.
    """

    program: Path
    cores: Cores
    logs: Path
    patience: float = 1.0


def run(row: Row, server: str, machine: Machine) -> Result:
    """Run a row.

    It is run again, twice at most, while all that fails is near to what it has to be, or is a
    time and somebody else kept the machine busy.
    """
    began = time.monotonic()
    result = {
        "row": row.name,
        "server": server,
        "title": row.title,
        "expected": row.expected,
        "passed": False,
    }
    if server in row.not_on:
        return {**result, "cannot": row.not_on[server], "listed": True}
    failed_before: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        try:
            arena = _attempt(row, server, machine)
        except CannotRunHereError as missing:
            return {**result, "cannot": str(missing), "listed": False}
        except (ChaosError, OSError, LookupError, ValueError, AssertionError) as error:
            seen = f"{type(error).__name__}: {error}"
            return {**result, "seen": seen, "attempts": attempt, "checks": [], "figures": {}}
        wrong = [each for each in arena.checks if not each.passed]
        result.update(
            passed=not wrong,
            seen=_words(arena),
            attempts=attempt,
            failed_before=failed_before,
            figures=arena.figures,
            checks=[each._asdict() for each in arena.checks],
            seconds=round(time.monotonic() - began, 1),
        )
        busy = arena.figures["others_cpu"] > noise.BUSY
        if not wrong or not all(each.near or (busy and each.timed) for each in wrong):
            break
        failed_before = [*failed_before, "; ".join(f"{w.what}: {w.seen}" for w in wrong)]
    return result


def _words(arena: Arena) -> str:
    wrong = [each for each in arena.checks if not each.passed]
    if wrong:
        return "; ".join(f"{each.what}: {each.seen}, not {each.expected}" for each in wrong)
    measured = [each for each in arena.checks if each.expected[:1] in "≤≥"]
    shown = "; ".join(f"{each.what}: {each.seen} ({each.expected})" for each in measured)
    return f"{len(arena.checks)} checks; {shown}" if shown else f"{len(arena.checks)} checks"


def _attempt(row: Row, server: str, machine: Machine) -> Arena:
    settings = Settings().with_(row.settings)
    log = machine.logs / f"{server}-{row.name}.log"
    log.unlink(missing_ok=True)
    with ExitStack() as stack:
        link = stack.enter_context(network.own()) if row.own_network else None
        folder = certificates.folder() if row.tls else None
        wanted = Wanted(settings, row.manager, row.nofile, folder)
        under_test = stack.enter_context(target.running(server, wanted, machine.cores.server, log))
        arena = Arena(
            server, under_test, settings, machine.program, machine.cores.load, machine.patience
        )
        arena.link = link
        if folder is not None:
            arena.tls, arena.authority = certificates.context(folder), folder / "authority.pem"
        _warm(arena)
        watch = None
        if row.witness:
            watch = stack.enter_context(
                witness.watching(under_test.port, machine.cores.load, arena.authority)
            )
            pause(BEFORE)
        arena.begin()
        before = noise.read()
        row.run(arena)
        if row.lives:
            _settle(arena, row)
        if watch is not None:
            _judge(arena, watch, row.no_http_on.get(server))
        arena.note(others_cpu=round(noise.others_since(before), 2))
        return arena


def _warm(arena: Arena) -> None:
    """Have everything imported and set up that the first of its kind needs."""
    for _ in range(3):
        assert arena.serves()
        with arena.dial() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            client.ends()
        with arena.dial() as client:
            client.upgrade("/ws", sec_websocket_key="bad")
        with arena.client("/ws") as client:
            client.send(frame(TEXT, b"\xff"))
            client.close_code()
    arena.target.until(lambda state: not state["websockets"], 5.0)


def _settle(arena: Arena, row: Row) -> None:
    """What has to hold soon after every attack: nothing is left, and nothing was called twice."""
    under_test, base = arena.target, arena.base
    arena.note(peak_kib=round(arena.growth() / 1024), cpu_seconds=round(arena.cpu(), 2))
    pause(AFTER if row.witness else 0.0)
    deadline = time.monotonic() + AFTER
    most = base.descriptors + DESCRIPTORS_LEFT
    while under_test.descriptors() > most and time.monotonic() < deadline:
        pause(0.05)
    arena.at_most("descriptors after", under_test.descriptors(), most)
    # Workers are started when they are needed, and stay.
    workers = row.manager.get("workers", 0)
    arena.at_most("threads after", under_test.threads(), base.threads + workers)
    left = max(0, under_test.rss() - base.rss)
    arena.at_most("RSS left", left / 1024, row.rss_left / 1024, "KiB")
    state = under_test.state()
    open_now = state["opened"] - state["closed_total"]
    arena.equal("opened() without closed()", open_now, state["websockets"])
    arena.equal("closed() called again", state["closed_again"], 0)
    arena.equal("unraisable exceptions", under_test.unraisable(), 0)
    if row.tracebacks is not None:
        found = under_test.tracebacks()
        arena.equal(f"tracebacks {sorted(set(found))[:2]}", len(found), row.tracebacks)


def _judge(arena: Arena, watch: witness.Witness, no_http: str | None) -> None:
    said = watch.testify()
    arena.note(
        witness_p50_ms=said.p50,
        witness_p99_ms=said.p99,
        witness_worst_ms=said.worst,
        http_p99_ms=said.http_p99,
        witness_echoes=said.echoes,
    )
    arena.equal("W: errors", said.errors, [])
    arena.at_most("W: echo p99", said.p99, ECHO_P99, "ms")
    arena.at_most("W: echo worst", said.worst, ECHO_WORST, "ms")
    if no_http is not None:
        arena.note(no_http=no_http, http_errors=said.http_errors)
        return
    arena.equal("W: HTTP errors", said.http_errors, [])
    arena.at_most("W: HTTP p99", said.http_p99, HTTP_P99, "ms")
