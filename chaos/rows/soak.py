"""F7, the soak: many that are well-behaved, a few that are not, for a long time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import MIB
from chaos.storm import Plan, Storm, pause
from chaos.wire import BINARY, CONTINUATION, PING, TEXT, close_frame, frame, header

#: 500 connections, 5 % of them abusive.
_GOOD, _ABUSIVE = 475, 25
#: How long one kind of abuse lasts, in seconds: in a minute each has its turn in the first third.
_SHIFT = 1.2
#: Bytes a minute.
_SLOPE = 1 * MIB


@dataclass
class Length:
    """How long it lasts."""

    minutes: float = 1.0


#: ``make soak`` sets it.
length = Length()

_ABUSE = [
    Plan(again=frame(PING, b"p" * 125), deaf=True, mute=True),
    Plan(once=header(TEXT, 1000) + b"x" * 500, after="reset"),
    Plan(once=frame(TEXT, b"x", masked=False)),
    Plan(once=header(BINARY, 2**40), again=b"x" * 60_000, mute=True),
    Plan(path="/quiet", once=header(BINARY, 1 * MIB) + b"\0" * 500_000, mute=True),
    Plan(once=frame(TEXT, b"", fin=False), again=frame(CONTINUATION, b"", fin=False)),
    Plan(again=frame(TEXT, b"e" * 100), deaf=True, mute=True),
    Plan(once=close_frame(), after="reset"),
    Plan(once=frame(TEXT, b"\xff" * 20)),
    Plan(path="/raises-message", once=frame(TEXT, b"x")),
    Plan(path="/racing", once=frame(TEXT, b"go") + close_frame()),
]


@row(
    "F7",
    "soak: 475 that talk and 25 that are abusive in ever new ways",
    "RSS grows by less than 1 MiB a minute after the first third, descriptors flat, W",
    # Half of them share a core with whatever the machine does else.
    settings={"ping_interval": 2.0, "ping_timeout": 4.0},
    tracebacks=None,
)
def soak(arena: Arena) -> None:
    """What a leak of a few bytes, or a descriptor a minute, would show in."""
    seconds = length.minutes * 60.0
    samples: list[tuple[float, int, int]] = []
    with _talkers(arena) as talkers:
        begin, kinds = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            _shift(arena, _ABUSE[kinds % len(_ABUSE)])
            kinds += 1
            samples.append(
                (time.monotonic() - begin, arena.target.rss(), arena.target.descriptors())
            )
        seen = talkers[0].say("report")
        arena.equal("well-behaved ones left", seen["alive"], _GOOD - _GOOD // 5)
        arena.note(messages=seen["messages"], shifts=kinds)
        for each in talkers:
            each.say("reset")
    later = [each for each in samples if each[0] >= seconds / 3]
    slope = _slope([(at, rss) for at, rss, _ in later]) * 60
    arena.at_most("growth of RSS", slope / MIB, _SLOPE / MIB, "MiB a minute")
    counts = [descriptors for _, _, descriptors in later]
    arena.at_most("descriptors, most over least", max(counts) - min(counts), 2 * _ABUSIVE)
    arena.note(rss_mib=[round(rss / MIB, 1) for _, rss, _ in samples[:: len(samples) // 20 + 1]])


@contextmanager
def _talkers(arena: Arena) -> Iterator[list[Storm]]:
    """Have those that are well-behaved: most talk to an echo, some with large messages."""
    small, large = _GOOD - _GOOD // 5, _GOOD // 5
    with ExitStack() as stack:
        plans = [
            (Plan(again=(talk := frame(TEXT, b"hello" * 40)), piece=len(talk), rate=2.0), small),
            (Plan(again=(talk := frame(BINARY, b"x" * 8000)), piece=len(talk), rate=0.5), large),
        ]
        storms = []
        for plan, number in plans:
            storm = stack.enter_context(arena.storm(plan, number))
            storm.open(number)
            storm.attack()
            storms.append(storm)
        yield storms


def _shift(arena: Arena, plan: Plan) -> None:
    """Have the abusive ones do one thing for a while, then be gone."""
    with arena.storm(plan, _ABUSIVE) as storm:
        storm.open(_ABUSIVE)
        storm.attack()
        storm.last(_SHIFT)
        storm.say("reset")
    pause(0.2)


def _slope(points: list[tuple[float, int]]) -> float:
    """Return the slope of the line of least squares, per second."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return over / sum((x - mean_x) ** 2 for x, _ in points)
