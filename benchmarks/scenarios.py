"""What is measured: each scenario as the load generator's options and the unit of its figures.

The sizes of the crowds and messages stand here and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

# How large the open crowd is whenever the memory is read; the first reading is before anybody came.
IDLE_STEPS = (1, 10, 100, 1_000, 5_000, 10_000)
GROWING_CONNECTIONS = (1, 10, 100, 1_000, 10_000)
GROWING_SIZES = (32, 128, *(1 << bits for bits in range(10, 25, 2)))

# More than this many bytes under way at once would measure the kernel's memory.
_UNDER_WAY = 4 << 20
_MOST_AT_ONCE = 10


class Scenario(NamedTuple):
    """One thing to measure."""

    name: str
    title: str
    load: str  # the generator's own name for what to do
    unit: str = "message"
    mode: str = "echo"  # the server's
    connections: int = 1
    size: int = 32
    pipeline: int = 1
    kind: str = "binary"
    parallel: int = 8
    chart: str = ""  # the curve this is a point of
    needs_page: bool = False

    def arguments(self) -> list[str]:
        """Return the generator's options that do not depend on the run."""
        if self.load == "idle":
            return ["idle", "--messages", "1", "--steps", ",".join(map(str, IDLE_STEPS))]
        if self.load in {"connect", "handshake", "http"}:
            crowd = ["--connections", str(self.connections)] if self.load == "handshake" else []
            return [self.load, "--parallel", str(self.parallel), *crowd]
        return [
            self.load,
            *("--connections", str(self.connections)),
            *("--size", str(self.size)),
            *("--pipeline", str(self.pipeline)),
            *("--kind", self.kind),
        ]


# The geometric mean over these is one figure for a server.
MEAN_OF = ("one", "hundred", "thousand", "burst", "64k", "1m", "text")

_MAIN = (
    Scenario("one", "1 connection, 32 B, one message outstanding", "echo"),
    Scenario("hundred", "100 connections, 32 B", "echo", connections=100),
    Scenario("thousand", "1,000 connections, 128 B", "echo", connections=1000, size=128),
    Scenario("burst", "10 connections, bursts of 32 x 32 B", "echo", connections=10, pipeline=32),
    Scenario("64k", "10 connections, 64 KiB", "echo", connections=10, size=64 << 10),
    Scenario("1m", "4 connections, 1 MiB", "echo", connections=4, size=1 << 20),
    Scenario(
        "text", "10 connections, 4 KiB of UTF-8", "echo", connections=10, size=4096, kind="utf8"
    ),
    Scenario(
        "broadcast-1000",
        "broadcast of 128 B to 1,000",
        "broadcast",
        unit="delivery",
        mode="broadcast",
        connections=1000,
        size=128,
    ),
    Scenario(
        "broadcast-5000",
        "broadcast of 128 B to 5,000",
        "broadcast",
        unit="delivery",
        mode="broadcast",
        connections=5000,
        size=128,
    ),
    Scenario("connect", "connections: open, close frames, end", "connect", unit="connection"),
    Scenario(
        "handshake",
        "the opening handshake alone, 1,000 connections that stay open",
        "handshake",
        unit="handshake",
        connections=1000,
    ),
    Scenario(
        "http", "a plain request on a new connection", "http", unit="request", needs_page=True
    ),
    Scenario("idle", "memory of idle connections", "idle", unit="connection"),
)


def _growing() -> tuple[Scenario, ...]:
    connections = [
        Scenario(
            f"grow-connections-{n}",
            f"connections: {n:,}, with 32 B",
            "echo",
            connections=n,
            chart="connections",
        )
        for n in GROWING_CONNECTIONS
    ]
    sizes = [
        Scenario(
            f"grow-size-{n}",
            f"size of a message: {n:,} B",
            "echo",
            connections=max(1, min(_MOST_AT_ONCE, _UNDER_WAY // n)),
            size=n,
            chart="size",
        )
        for n in GROWING_SIZES
    ]
    return (*connections, *sizes)


MAIN: dict[str, Scenario] = {each.name: each for each in _MAIN}
GROWING: dict[str, Scenario] = {each.name: each for each in _growing()}
ALL: dict[str, Scenario] = {**MAIN, **GROWING}
