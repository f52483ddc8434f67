"""What is held together, against one budget."""

import pytest

from ws4py._engine.ledger import Ledger

MIB = 1024 * 1024


class Lane:
    """What a lane says of itself."""

    def __init__(self, held=0) -> None:
        self.held = held
        self.allowed = 4 * MIB


def test_adds_up_what_is_held():
    ledger = Ledger(100)
    assert ledger.note("a", 60)
    assert ledger.note("b", 40)
    assert ledger.total == 100
    assert ledger.affords()
    assert ledger.note("a", 10)
    assert ledger.total == 50
    ledger.forget("b")
    ledger.forget("b")
    ledger.forget("unknown")
    assert ledger.total == 10


def test_says_who_has_become_too_much():
    ledger = Ledger(100)
    ledger.note("a", 90)
    assert not ledger.note("b", 11)
    assert not ledger.affords()
    assert "memory_budget 100 " in ledger.reason


def test_never_minds_who_holds_less_than_before():
    ledger = Ledger(100)
    ledger.note("a", 300)
    assert not ledger.note("a", 301)
    assert ledger.note("a", 301)
    assert ledger.note("a", 200)
    assert not ledger.affords()


def test_without_a_budget_everything_is_affordable():
    ledger = Ledger(None)
    ledger.count(lane := Lane(1 << 40))
    assert ledger.note("a", 1 << 50)
    assert ledger.total == (1 << 40) + (1 << 50)
    assert lane.allowed == lane.held + 4 * MIB


def test_a_budget_of_nothing():
    ledger = Ledger(0)
    assert ledger.affords()
    assert not ledger.note("a", 1)


def test_a_budget_may_change():
    ledger = Ledger(100)
    assert not ledger.note("a", 200)
    ledger.budget = 300
    assert ledger.affords()
    assert "300" in ledger.reason


@pytest.mark.parametrize(("budget", "step"), [(100 * MIB, 4 * MIB), (13 * MIB, 3 * MIB)])
def test_lanes_share_what_is_left(budget, step):
    ledger = Ledger(budget)
    lanes = [Lane(2 * MIB), Lane(3 * MIB)]
    for lane in lanes:
        ledger.count(lane)
    ledger.note("a", 2 * MIB)
    assert ledger.total == 7 * MIB
    assert ledger.affords()
    assert [lane.allowed for lane in lanes] == [2 * MIB + step, 3 * MIB + step]


def test_lanes_get_nothing_when_nothing_is_left():
    """Or each of them would ask again only when it holds much more."""
    ledger = Ledger(4 * MIB)
    ledger.count(lane := Lane(5 * MIB))
    assert lane.allowed == 5 * MIB
    assert not ledger.affords()
    lane.held = 1 * MIB
    assert ledger.affords()
    assert lane.allowed == 4 * MIB


def test_lanes_are_limited_from_the_beginning():
    ledger = Ledger(MIB)
    ledger.count(lane := Lane())
    assert lane.allowed == MIB
