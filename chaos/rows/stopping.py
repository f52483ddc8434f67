"""Section E, second part: the server stops, restarts, forks, and the clock is set."""

from __future__ import annotations

import json

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import MIB
from chaos.storm import Plan, pause
from chaos.wire import BINARY, TEXT, frame

#: What may be left of a server that has stopped: standard streams, epoll of the control channel.
_BARE_DESCRIPTORS, _BARE_THREADS = 12, 6


@row(
    "E7",
    "the engine stops with 5,000 connections, 100 that do not read and 10 handlers that are busy",
    "4,900 get 1001, stop() returns within 5 s with everything closed; it can be started again",
    witness=False,
    settings={"ping_interval": 5.0, "ping_timeout": 5.0, "write_timeout": 5.0},
    manager={"workers": 10},
    rss_left=64 * MIB,
)
def stop(arena: Arena) -> None:
    """Everybody is told, and nobody is waited for too long."""
    unread = frame(BINARY, b"x" * 60_000)
    deaf = Plan(again=unread, times=200, deaf=True, mute=True)
    with arena.storm(Plan(), 4900) as well, arena.storm(deaf, 100) as bad:
        well.open(4900)
        bad.open(100)
        bad.attack()
        well.last(1.0)
        busy = [arena.client("/blocking") for _ in range(10)]
        for client in busy:
            client.send(frame(TEXT, b"2"))
        pause(0.2)
        said = arena.target.ask("stop", patience=60.0)
        arena.at_most("stop() returned after", said["seconds"], 5.0, "s")
        arena.equal("websockets", said["websockets"], 0)
        arena.at_most("descriptors", arena.target.descriptors(), _BARE_DESCRIPTORS)
        arena.at_most("threads", arena.target.threads(), _BARE_THREADS)
        seen = well.wait(5.0)
        arena.at_least("told 1001", seen["codes"].get("1001", 0), 4890)
        arena.equal("left", seen["alive"], 0)
        for client in busy:
            client.reset()
    arena.target.port = arena.target.ask("start")["port"]
    arena.holds("serves again", arena.serves())


@row(
    "E8",
    "SIGTERM with 1,000 connections",
    "1001 to all, the process ends by itself",
    witness=False,
    quick=True,
    lives=False,
)
def terminate(arena: Arena) -> None:
    """What systemd and containers do."""
    with arena.storm(Plan(), 1000) as storm:
        storm.open(1000)
        status, seconds = arena.target.terminate()
        arena.equal("exit status", status, 0)
        arena.at_most("it took", seconds, 8.0, "s")
        seen = storm.wait(5.0)
        arena.equal("told", seen["codes"], {"1001": 1000})
    arena.equal("tracebacks", arena.target.tracebacks(), [])


@row(
    "E8b",
    "the program is replaced as the autoreloader does, with 1,000 connections",
    "1001 to all, the new program listens and has inherited no socket",
    witness=False,
    lives=False,
    not_on={"gevent": "gevent's server has no reloader"},
)
def restart(arena: Arena) -> None:
    """Exec in the same process."""
    with arena.storm(Plan(), 1000) as storm:
        storm.open(1000)
        arena.target.ask("restart")
        seen = storm.wait(15.0)
        arena.equal("told", seen["codes"], {"1001": 1000})
        arena.target.port = json.loads(arena.target.line(30.0))["port"]
        pause(0.5)
        arena.at_most("descriptors", arena.target.descriptors(), arena.base.descriptors + 2)
        arena.holds("serves", arena.serves())


@row(
    "E12",
    "the wall clock goes an hour forward and back",
    "no time-out is early or late",
    quick=True,
)
def clock(arena: Arena) -> None:
    """Only the monotonic clock counts."""
    with arena.storm(Plan(path="/quiet"), 20) as storm:
        storm.open(20)
        for shift in (3600.0, -7200.0):
            arena.target.ask("clock", shift=shift)
            seen = storm.last(2.5)
        arena.equal("connections left", seen["alive"], 20)
        arena.at_least("pings", seen["pings"], 20 * 3)
        arena.at_most("pings", seen["pings"], 20 * 8)
        storm.say("reset")
    with arena.storm(Plan(path="/racing", once=frame(TEXT, b"go"), mute=True), 1) as storm:
        storm.open(1)
        storm.attack()
        seen = storm.wait(10.0)
        limit = arena.settings.close_timeout
        arena.at_most("close_timeout took", seen["last_gone"], limit + 1.0, "s")
        arena.at_least("close_timeout took", seen["last_gone"], limit - 0.5, "s")


@row(
    "E13",
    "the process forks after the start, and the child uses a manager of its own",
    "the parent's connections do not notice; the child's manager starts and stops",
    not_on={"gevent": "a child would share gevent's hub and its descriptors with the parent"},
)
def fork(arena: Arena) -> None:
    """As a WSGI master does that was given a manager too early."""
    for _ in range(3):
        arena.equal("the child's status", arena.target.ask("fork")["status"], 0)
    with arena.storm(Plan(), 20) as storm:
        storm.open(20)
        seen = storm.last(1.0)
        arena.equal("connections left", seen["alive"], 20)
        storm.say("reset")
    arena.holds("serves", arena.serves())
