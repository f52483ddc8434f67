"""Section E, first part: peers that vanish, reset, close at the wrong moment; no descriptors."""

from __future__ import annotations

import os
import signal

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB, SLACK
from chaos.storm import Plan, pause
from chaos.wire import TEXT, close_frame, frame, header, request

_WITNESSES = 20
#: What a busy machine may add to a deadline, in seconds.
_LATE = 1.0


@row(
    "E1",
    "200 peers vanish without a word: their link goes down (or, without the privilege, they stop)",
    "closed within ping_interval + ping_timeout + 1 s, closed(1006) once each, descriptors freed",
    witness=False,
    own_network=True,
    quick=True,
    lives=False,
)
def vanish(arena: Arena) -> None:
    """Half-open connections."""
    count = 200
    before = arena.target.state()
    timeouts = (arena.settings.ping_interval or 0) + (arena.settings.ping_timeout or 0)
    with arena.storm(Plan(), count) as storm:
        storm.open(count)
        storm.last(1.5)
        arena.note(how="the link is down" if arena.link else "the peers are stopped")
        if arena.link:
            arena.link.set(up=False)
        else:
            os.kill(storm.process.pid, signal.SIGSTOP)
        took = arena.target.until(lambda state: not state["websockets"], timeouts + 10.0)
        arena.at_most("all closed after", took, timeouts + _LATE, "s")
        state = arena.target.state()
        lost = state["closed"].get("1006", 0) - before["closed"].get("1006", 0)
        arena.equal("closed(1006)", lost, count)
        arena.equal("closed() called again", state["closed_again"], 0)
        most = arena.base.descriptors + 2
        arena.target.until(lambda _: arena.target.descriptors() <= most, 5.0)
        arena.at_most("descriptors after", arena.target.descriptors(), most)
        if arena.link:
            arena.link.set(up=True)
    arena.holds("serves again", arena.serves())


@row(
    "E2",
    "resets: 1,000 in the middle of a frame, 200 in the middle of a handshake, 200 while we write",
    "descriptors as before within a second, no traceback, W",
    quick=True,
)
def resets(arena: Arena) -> None:
    """Whose end leaves a descriptor behind, or a cycle that only gc would find."""
    inside = Plan(once=header(TEXT, 1000) + b"x" * 500, after="reset")
    with arena.storm(inside, 1000) as storm:
        for _ in range(5):
            storm.open(200)
            storm.attack()
            storm.finish(5.0)
    halves = Plan(raw=True, once=request()[:90], after="reset")
    with arena.storm(halves, 200) as storm:
        storm.open(200)
        storm.attack()
        storm.finish(5.0)
    with arena.storm(Plan(path="/member"), 200) as storm:
        storm.open(200)
        arena.target.ask("broadcast", count=20, size=64 * KIB, seconds=0.5)
        storm.last(0.2)
        storm.say("reset")
    most = arena.base.descriptors + 2
    took = arena.target.until(lambda _: arena.target.descriptors() <= most, 5.0)
    arena.at_most("descriptors as before after", took, 1.0, "s")


@row(
    "E3",
    "10,000 connections closed by both sides at once, with a send in flight from another thread",
    "closed() once each, no descriptor left, ConnectionClosed or nothing to the sender",
    rss_left=16 * MIB,
)
def close_races(arena: Arena) -> None:
    """Who closes first is decided by chance, ten thousand times."""
    plan = Plan(path="/racing", once=frame(TEXT, b"go") + close_frame())
    total = 0
    for _ in range(10):
        with arena.storm(plan, 1000) as storm:
            storm.open(1000)
            storm.attack()
            seen = storm.wait(10.0)
            total += seen["opened"]
            arena.equal("connections left", seen["alive"], 0)
    state = arena.target.state()
    arena.equal("connections", total, 10_000)
    kinds = sorted(state["refused_sends"])
    arena.holds("senders are told ConnectionClosed", set(kinds) <= {"ConnectionClosed"}, kinds)
    arena.note(refused_sends=state["refused_sends"], closed=state["closed"])


@row(
    "E4",
    "peers that never answer a close frame, go on sending behind theirs, or reset behind it",
    "reset at close_timeout; what comes behind a close frame is nothing; closed() once",
    quick=True,
)
def bad_ends(arena: Arena) -> None:
    """A closing handshake takes two."""
    limit = arena.settings.close_timeout
    never = Plan(path="/racing", once=frame(TEXT, b"go"), mute=True)
    with arena.storm(never, 50) as storm:
        storm.open(50)
        storm.attack()
        seen = storm.wait(limit + 5.0)
        arena.equal("never answer: left", seen["alive"], 0)
        arena.at_most("never answer: gone after", seen["last_gone"], limit + _LATE, "s")
        arena.at_least("never answer: not before", seen["last_gone"], limit - 0.5, "s")
    counted = arena.target.state()["messages"]
    chatty = Plan(path="/quiet", once=close_frame(), again=frame(TEXT, b"x" * 900), mute=True)
    with arena.storm(chatty, 10) as storm:
        storm.open(10)
        storm.attack()
        seen = storm.wait(limit + 5.0)
        arena.equal("go on sending: left", seen["alive"], 0)
        arena.equal("go on sending: codes", seen["codes"], {"1000": 10})
    # The witnesses' messages are counted too: some hundred, where the others sent millions.
    arena.at_most("messages behind a close frame", arena.target.state()["messages"] - counted, 900)
    with arena.storm(Plan(once=close_frame(), after="reset"), 200) as storm:
        storm.open(200)
        storm.attack()
        storm.wait(5.0)
    gone = arena.target.until(lambda state: state["websockets"] <= _WITNESSES, limit + 2.0)
    arena.holds("all are gone", gone is not None)


_NOFILE = 300


@row(
    "E5",
    "400 connections to a process with 300 descriptors, for 10 s; then 200 leave",
    "at least 230 served, W for them, 5 % CPU for the rest, new ones within a second afterwards",
    nofile=_NOFILE,
    tracebacks=None,
    quick=True,
)
def no_descriptors(arena: Arena) -> None:
    """EMFILE at accept()."""
    with arena.storm(Plan(parallel=400), 400) as storm:
        storm.begin(400)
        storm.last(3.0)
        cpu = arena.target.cpu()
        seen = storm.last(7.0)
        share = (arena.target.cpu() - cpu) / 7.0 * 100
        arena.note(**{name: seen[name] for name in ("opened", "failed", "waiting", "codes")})
        arena.at_least("served", arena.target.state()["websockets"], 230)
        arena.equal("left to hang", seen["waiting"], 0)
        arena.at_most("CPU", share, 5.0, "%")
        arena.holds("the process lives", arena.target.process.poll() is None)
        storm.say("reset")
        took = arena.target.until(lambda state: state["websockets"] <= _WITNESSES, 5.0)
        arena.holds("they are gone", took is not None)
        with arena.dial() as client:
            client.sock.settimeout(1.0)
            arena.equal("a new one, within a second", client.upgrade("/ws"), 101)
    arena.note(tracebacks=len(arena.target.tracebacks()))
    pause(0.2)
    arena.grows_at_most(300 * 24 * KIB + SLACK)
