"""Inputs by hypothesis: it needs the development environment only, and makes a find smaller."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from fuzz.crashes import Keeping
from fuzz.inputs import committed
from fuzz.targets import Target, load

__all__ = ["explore", "strategy"]

_ROUND = 50


def strategy(target: Target, corpus: list[bytes]) -> SearchStrategy[bytes]:
    """Inputs of a target: of its corpus, of its words, or of any bytes, changed here and there."""
    header = st.binary(min_size=6, max_size=6)
    words = st.one_of(st.sampled_from(target.WORDS), st.binary(max_size=6))
    made = st.builds(bytes.__add__, header, st.lists(words, max_size=12).map(b"".join))
    changed = st.builds(
        _changed, st.sampled_from(corpus), st.lists(st.tuples(_WHERE, words), max_size=4)
    )
    return st.one_of(changed, made, st.binary(max_size=300))


_WHERE = st.tuples(st.integers(0, 2**16), st.integers(0, 8))


def _changed(data: bytes, changes: list[tuple[tuple[int, int], bytes]]) -> bytes:
    for (place, taken), word in changes:
        at = place % (len(data) + 1)
        data = data[:at] + word + data[at + taken :]
    return data


def explore(name: str, seconds: float, first_seed: int) -> int:
    """Try inputs until the time is over; return how many. What breaks an invariant is raised.

    Each round has a seed of its own, so a run can be repeated.
    """
    target, until, number = load(name), time.monotonic() + seconds, 0
    inputs = strategy(target, committed(name))
    tried = 0
    with Keeping(name) as keeping:

        @settings(
            max_examples=_ROUND,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.target, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            # The input is told by us; hypothesis would write all of it.
            verbosity=Verbosity.quiet,
        )
        @given(inputs)
        def check(data: bytes) -> None:
            nonlocal tried
            tried += 1
            # Of a find, hypothesis tries the smallest form last.
            keeping.data = data
            target.check(data)

        while time.monotonic() < until:
            seed(first_seed + number)(check)()
            number += 1
    return tried
