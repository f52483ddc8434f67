"""What a row is, and the list of all of them.

A row is a function with a name out of the plan: it attacks, and tells its arena what was to be seen
and what was. Everything that holds for every row (the witnesses, memory, descriptors, threads) is
checked by the runner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos.settings import RSS_LEFT, SLACK

if TYPE_CHECKING:
    from chaos.arena import Arena

__all__ = ["ROWS", "Row", "row"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One attack or fault.

    :param name: as in the plan: a letter for the section, and a number.
    :param title: the attack in some words.
    :param expected: the promised outcome in some words.
    :param run: does it.
    :param quick: belongs to the part that CI runs.
    :param witness: witnesses have to fare well meanwhile; otherwise there are none.
    :param settings: what the handlers have otherwise than in :mod:`chaos.settings`.
    :param manager: settings of the manager.
    :param nofile: descriptors of the server's process.
    :param tls: the server speaks TLS.
    :param own_network: wanted in a network of its own, where that is possible.
    :param not_on: servers on which it is not run, with the reason.
    :param no_http_on: servers whose own part fails under this attack, so that only the websockets
        among the witnesses are asked; with the reason.
    :param tracebacks: how many are to be logged; ``None`` when the row looks at them itself.
    :param rss_left: how much more memory may be left at the end.
    :param lives: whether the server is the same process, and serves, at the end.
    """

    name: str
    title: str
    expected: str
    run: Callable[[Arena], None]
    quick: bool = False
    witness: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    manager: dict[str, Any] = field(default_factory=dict)
    nofile: int = 0
    tls: bool = False
    own_network: bool = False
    not_on: dict[str, str] = field(default_factory=dict)
    no_http_on: dict[str, str] = field(default_factory=dict)
    tracebacks: int | None = 0
    rss_left: int = RSS_LEFT + SLACK
    lives: bool = True


ROWS: dict[str, Row] = {}


def row(
    name: str, title: str, expected: str, **about: Any
) -> Callable[[Callable[[Arena], None]], Callable[[Arena], None]]:
    """Make a row of a function."""

    def register(run: Callable[[Arena], None]) -> Callable[[Arena], None]:
        assert name not in ROWS, name
        ROWS[name] = Row(name=name, title=title, expected=expected, run=run, **about)
        return run

    return register
