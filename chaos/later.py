"""Rows of the plan that are not run here, each with the reason; they are shown in every table.

Nothing may be left out silently: a row is in :data:`chaos.row.ROWS` or in one of these lists.
"""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A row that has no run here."""

    title: str
    reason: str


_CLIENT = "belongs to the client, which ws4py does not have yet"
_BACKPLANE = "belongs to the backplane, which ws4py does not have yet"

LISTED: dict[str, Listed] = {
    "A12": Listed("hostile servers in the opening handshake", _CLIENT),
    "B7 (client)": Listed("masked frames to a client", _CLIENT),
    "B10": Listed("the masking keys of 10,000 frames", _CLIENT),
    "B12": Listed("Autobahn|Testsuite", "run by make conformance, verdicts committed there"),
    "B13": Listed(
        "random frame streams beside other implementations",
        "run by make test, in tests/protocol/test_differential.py",
    ),
    "E6": Listed(
        "failing system calls by seeds", "run by the fuzz targets over a mocked kernel (F5)"
    ),
    "E14": Listed("the broker restarts", _BACKPLANE),
    "E15": Listed("the broker hangs", _BACKPLANE),
    "E16": Listed("one node of three is killed", _BACKPLANE),
    "E17": Listed("a hostile backplane", _BACKPLANE),
    "F1 to F6": Listed("fuzzing", "run by make fuzz"),
}
