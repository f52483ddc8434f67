"""Which scenarios and peers a run is about: names, patterns as in `ws4py-*`, and some groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from benchmarks.failure import BenchmarkError
from benchmarks.registry import PEERS, REFERENCE, Peer
from benchmarks.scenarios import ALL, GROWING, MAIN, Scenario

Chosen = TypeVar("Chosen")


def scenarios(words: Sequence[str]) -> list[Scenario]:
    """Return the scenarios meant: without words the main ones, `growing` for the curves."""
    groups = {"main": list(MAIN), "growing": list(GROWING), "all": list(ALL)}
    return _choose(words or ["main"], ALL, groups)


def peers(words: Sequence[str]) -> list[Peer]:
    """Return the peers meant, and always the reference: without it a figure stands for nothing."""
    groups = {"all": list(PEERS), "ours": [name for name, each in PEERS.items() if each.ours]}
    return _choose([REFERENCE, *(words or ["all"])], PEERS, groups)


def _choose(
    words: Sequence[str], offered: Mapping[str, Chosen], groups: Mapping[str, list[str]]
) -> list[Chosen]:
    wanted: set[str] = set()
    # make hands over one word, however many names are in it.
    for word in (part for each in words for part in each.replace(",", " ").split()):
        found = groups.get(word) or [name for name in offered if fnmatchcase(name, word)]
        if not found:
            known = ", ".join([*offered, *groups])
            raise BenchmarkError(f"there is no {word!r}; there are {known}")
        wanted.update(found)
    return [each for name, each in offered.items() if name in wanted]
