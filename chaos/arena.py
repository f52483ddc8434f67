"""What a row gets: the server under test, clients and storms, and where it says what it saw."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from chaos import storm
from chaos.network import Link
from chaos.settings import Settings
from chaos.storm import Plan, Storm
from chaos.target import Target
from chaos.wire import TEXT, Client, frame

#: A figure that fails by less than this is measured again, the machine may have been busy.
NEAR = 0.20
#: Units of what a busy machine makes worse.
_RATE = "/s"
_TIMES = {"ms", "s", "µs", _RATE}


class Check(NamedTuple):
    """One thing that was to be seen.

    :param near: it failed, by so little that it may be the machine.
    :param timed: it is a time, or depends on one.
    """

    what: str
    seen: Any
    expected: str
    passed: bool
    near: bool = False
    timed: bool = False


class Base(NamedTuple):
    """The server before the attack."""

    descriptors: int
    threads: int
    rss: int
    cpu: float


class Arena:
    """A row's surroundings.

    :param server: which server is under test.
    :param program: the storm.
    :param core: where storms run.
    :param patience: how many times longer everything may take than it ought to.
    """

    def __init__(
        self,
        server: str,
        target: Target,
        settings: Settings,
        program: Path,
        core: int,
        patience: float = 1.0,
    ) -> None:
        self.server = server
        self.target = target
        self.settings = settings
        self.tls: ssl.SSLContext | None = None
        self.authority: Path | None = None
        self.link: Link | None = None
        self.base = Base(0, 0, 0, 0.0)
        self.checks: list[Check] = []
        self.figures: dict[str, Any] = {}
        self._program = program
        self._core = core
        self._patience = patience

    # -- Who attacks -------------------------------------------------------------

    @contextmanager
    def storm(self, plan: Plan, room: int) -> Iterator[Storm]:
        """Start a storm of at most ``room`` connections."""
        with storm.started(self._program, plan, self.target.port, room, self._core) as started:
            yield started

    def dial(self) -> Client:
        """Connect, and nothing else."""
        return Client(self.target.port, self.tls)

    def client(self, path: str = "/ws", **fields: str | list[str] | None) -> Client:
        """Connect and become a websocket."""
        client = self.dial()
        status = client.upgrade(path, **fields)
        if status != 101:
            client.reset()
            self.equal(f"the status of the handshake for {path}", status, 101)
        return client

    def serves(self, path: str = "/ws") -> bool:
        """Whether somebody new is served: upgraded, and echoed to."""
        with self.client(path) as client:
            client.send(frame(TEXT, b"still there?"))
            echoed = client.next_message()
            return echoed is not None and echoed.payload == b"still there?"

    # -- What was seen -----------------------------------------------------------

    def begin(self) -> None:
        """Take the figures of the server before the attack."""
        self.target.forget_peak()
        self.base = Base(
            self.target.descriptors(), self.target.threads(), self.target.rss(), self.target.cpu()
        )

    def growth(self) -> int:
        """Return how much more memory the server held at the most than at the begin."""
        return max(0, self.target.peak() - self.base.rss)

    def cpu(self) -> float:
        """Return the CPU seconds since the begin."""
        return self.target.cpu() - self.base.cpu

    def note(self, **figures: Any) -> None:
        """Keep figures that nothing is asked of."""
        self.figures.update(figures)

    def holds(self, what: str, passed: bool, seen: Any = None) -> None:
        """Say whether something is as it has to be."""
        self.checks.append(Check(what, passed if seen is None else seen, "yes", bool(passed)))

    def equal(self, what: str, seen: Any, expected: Any) -> None:
        """Say what was seen, and what had to be."""
        self.checks.append(Check(what, seen, str(expected), seen == expected))

    def one_of(self, what: str, seen: Any, expected: Iterable[Any]) -> None:
        """Say what was seen, and what it might be."""
        allowed = list(expected)
        words = " or ".join(map(str, allowed))
        self.checks.append(Check(what, seen, words, seen in allowed))

    def at_most(self, what: str, seen: float | None, bound: float, unit: str = "") -> None:
        """Say what was measured, and what it must not exceed; ``None``: it never happened."""
        if unit in _TIMES:
            bound *= self._patience
        passed = seen is not None and seen <= bound
        near = seen is not None and not passed and seen <= bound * (1 + NEAR)
        self._measured(what, seen, f"≤ {_short(bound)} {unit}", passed, near)

    def at_least(self, what: str, seen: float, bound: float, unit: str = "") -> None:
        """Say what was measured, and what it must not fall below."""
        if unit == _RATE:
            bound /= self._patience
        passed = seen >= bound
        near = not passed and seen >= bound * (1 - NEAR)
        self._measured(what, seen, f"≥ {_short(bound)} {unit}", passed, near)

    def _measured(
        self, what: str, seen: float | None, expected: str, passed: bool, near: bool
    ) -> None:
        shown = None if seen is None else _short(seen)
        timed = expected.rsplit(maxsplit=1)[-1] in _TIMES
        self.checks.append(Check(what, shown, expected.rstrip(), passed, near, timed))

    def grows_at_most(self, bound: float) -> None:
        """Say how much more memory there was, and how much there may be, in bytes."""
        self.at_most("ΔRSS", self.growth() / 1024, bound / 1024, "KiB")


def _short(value: float) -> float:
    return round(value, 3) if abs(value) < 10 else round(value, 1)
