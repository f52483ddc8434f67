"""Section S: ten thousand connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB
from chaos.storm import Plan, Storm

_MANY = 10_000
#: The heap is full of what has been freed, and of what has not, after so many.
_LEFT = 64 * MIB
_QUIET = {"ping_interval": 5.0, "ping_timeout": 5.0}
#: Seconds for opening them all, on an idle machine.
_OPENING = {"cherrypy": 8.0, "gevent": 5.0}


@contextmanager
def _crowd(arena: Arena, **about: Any) -> Iterator[tuple[Storm, dict[str, Any]]]:
    with arena.storm(Plan(path="/member", parallel=128, **about), _MANY) as storm:
        seen = storm.open(_MANY, 120.0)
        arena.equal("opened", seen["opened"], _MANY)
        yield storm, seen
        storm.say("reset")


@row(
    "S1",
    "10,000 connections at full speed",
    "8 s on CherryPy, no error, 8 KiB of memory each",
    rss_left=_LEFT,
)
def opening(arena: Arena) -> None:
    """A crowd arrives."""
    with _crowd(arena) as (_, seen):
        arena.equal("errors", seen["failed"], 0)
        arena.at_most("opened in", seen["seconds"], _OPENING[arena.server], "s")
        each = (arena.target.rss() - arena.base.rss) / _MANY / KIB
        arena.at_most("memory for each", each, 8.0, "KiB")
        arena.note(per_second=round(_MANY / seen["seconds"]), p99_ms=seen["handshake_p99_ms"])


@row(
    "S2",
    "10,000 connections idle for 10 s, pinged every 5 s",
    "25 % of a core, no more threads than before",
    settings=_QUIET,
    rss_left=_LEFT,
)
def idle(arena: Arena) -> None:
    """Waiting costs nothing but pings."""
    with _crowd(arena) as (storm, _):
        cpu = arena.target.cpu()
        seen = storm.last(10.0)
        arena.at_most("CPU", (arena.target.cpu() - cpu) / 10.0 * 100, 25.0, "%")
        arena.at_most("threads", arena.target.threads(), arena.base.threads)
        arena.equal("connections left", seen["alive"], _MANY)
        arena.at_least("pings", seen["pings"], _MANY)


@row(
    "S3",
    "broadcasts of 128 B to 10,000, one a second, ten times",
    "the last one has it within 200 ms, the call returns within 150 ms",
    settings=_QUIET,
    rss_left=_LEFT,
)
def broadcast(arena: Arena) -> None:
    """The sum of all sends."""
    with _crowd(arena, stamped=True) as (storm, _):
        arena.target.ask("broadcast", count=10, size=128, seconds=10.0)
        seen = storm.last(12.0)
        calls = arena.target.state()["broadcast"]
        arena.equal("messages", seen["messages"], 10 * _MANY)
        arena.equal("out of order", seen["disorder"], 0)
        arena.at_most("the last one has it after", seen["delivery_worst_ms"], 200.0, "ms")
        arena.at_most("the call", calls["worst_ms"], 150.0, "ms")
        arena.note(p50=seen["delivery_p50_ms"], p99=seen["delivery_p99_ms"], call=calls["p50_ms"])


@row(
    "S4",
    "10,000 connections reset at once, and all come back at once",
    "all back within 12 s, memory within 10 % of before",
    settings=_QUIET,
    rss_left=_LEFT,
)
def all_return(arena: Arena) -> None:
    """A proxy has been restarted."""
    with arena.storm(Plan(path="/member", parallel=128, retry=True), 2 * _MANY) as storm:
        storm.open(_MANY, 120.0)
        before = arena.target.rss()
        storm.say("reset")
        seen = storm.open(_MANY, 120.0)
        arena.at_most("all back after", seen["seconds"], 12.0, "s")
        arena.equal("alive", seen["alive"], _MANY)
        arena.note(retried=seen["retried"])
        arena.target.until(lambda state: state["websockets"] <= _MANY + 20, 10.0)
        arena.at_most("memory", arena.target.rss() / before, 1.1, "of before")
        storm.say("reset")


@row(
    "S5",
    "stop with 10,000 connections",
    "within 5 s, 1001 to all",
    settings=_QUIET,
    witness=False,
    lives=False,
)
def stop(arena: Arena) -> None:
    """Everybody is told."""
    with arena.storm(Plan(path="/member", parallel=128), _MANY) as storm:
        storm.open(_MANY, 120.0)
        said = arena.target.ask("stop", patience=60.0)
        arena.at_most("stop() returned after", said["seconds"], 5.0, "s")
        seen = storm.wait(5.0)
        arena.equal("told", seen["codes"], {"1001": _MANY})
        arena.equal("left", seen["alive"], 0)
