"""Gives the streams of many seeds to everybody and looks for differences that are not allowed."""

from __future__ import annotations

from collections import Counter

from fuzz.differential.allowed import ALLOWED
from fuzz.differential.implementations import OTHERS, Outcome, ours
from fuzz.differential.streams import Stream, stream

__all__ = ["differences", "explain", "explore"]


def explore(first: int, count: int) -> str:
    """Compare many streams; return what was found, in a sentence.

    :raises AssertionError: a difference that is not allowed; its seed has been printed.
    """
    needed: Counter[str] = Counter()
    refused = 0
    for seed in range(first, first + count):
        given = stream(seed)
        refused += ours(given).code in {1002, 1007, 1008, 1009}
        try:
            needed.update(differences(given, seed))
        except AssertionError:
            print(f"seed {seed}")
            raise
    told = "; ".join(f"{times} x {why}" for why, times in needed.most_common())
    return f"{count} streams, {refused} of them refused; allowed differences: {told or 'none'}"


def differences(given: Stream, seed: int) -> list[str]:
    """Return the reasons for which the others say something else than we do."""
    we = ours(given)
    in_pieces = ours(given, seed)
    assert we.agrees(in_pieces), f"in pieces {in_pieces}, whole {we}"
    reasons = []
    for who, outcome in OTHERS.items():
        they = outcome(given)
        if not we.agrees(they):
            reasons.append(f"{who}: {explain(who, given, we, they)}")
    return reasons


def explain(who: str, given: Stream, we: Outcome, they: Outcome) -> str:
    """Return the reason for a difference.

    :raises AssertionError: there is none.
    """
    for each in ALLOWED:
        if each.who == who and each.applies(given, we, they):
            return each.why
    raise AssertionError(
        f"{who} differs: we {we.code} {we.reason!r} with {len(we.events)} events, they"
        f" {they.code} {they.reason!r} with {len(they.events)} events"
    )
