"""What is held together, against one budget."""

import pytest

from ws4py._engine.ledger import Ledger

MIB = 1024 * 1024


class Lane:
    """What a lane says of itself."""

    def __init__(self, held=0) -> None:
        self.held = held
        self.allowed = 4 * MIB


class Holder:
    """A connection that says when it was given up."""

    def __init__(self) -> None:
        self.ended = 0

    def run_out_of_memory(self):
        self.ended += 1


@pytest.fixture(name="holders")
def fixture_holders():
    return Holder(), Holder(), Holder()


def ends(holders):
    return [holder.ended for holder in holders]


def test_adds_up_what_is_held(holders):
    first, second, third = holders
    ledger = Ledger(100)
    ledger.note(first, 60)
    ledger.note(second, 40)
    assert ledger.total == 100
    assert ledger.affords()
    ledger.note(first, 10)
    assert ledger.total == 50
    ledger.forget(second)
    ledger.forget(second)
    ledger.forget(third)
    assert ledger.total == 10
    assert ends(holders) == [0, 0, 0]


def test_gives_up_who_holds_most(holders):
    first, second, third = holders
    ledger = Ledger(100)
    ledger.note(first, 20)
    ledger.note(second, 60)
    ledger.note(third, 30)
    assert ends(holders) == [0, 1, 0]
    # It is as good as gone.
    assert ledger.total == 50
    assert "memory_budget 100 " in ledger.reason
    ledger.note(first, 90)
    assert ends(holders) == [1, 1, 0]


def test_never_minds_who_holds_less_than_before(holders):
    first, second, _ = holders
    ledger = Ledger(100)
    ledger.note(first, 50)
    ledger.note(second, 50)
    ledger.budget = 10
    ledger.note(first, 50)
    ledger.note(first, 40)
    assert ends(holders) == [0, 0, 0]
    assert not ledger.affords()


def test_without_a_budget_everything_is_affordable(holders):
    ledger = Ledger(None)
    ledger.count(lane := Lane(1 << 40))
    ledger.note(holders[0], 1 << 50)
    assert ledger.total == (1 << 40) + (1 << 50)
    assert lane.allowed == lane.held + 4 * MIB
    assert ends(holders) == [0, 0, 0]


def test_a_budget_of_nothing(holders):
    ledger = Ledger(0)
    assert ledger.affords()
    ledger.note(holders[0], 1)
    assert holders[0].ended == 1
    assert ledger.total == 0


def test_a_budget_may_change(holders):
    ledger = Ledger(100)
    ledger.note(holders[0], 100)
    ledger.budget = 50
    assert not ledger.affords()
    ledger.budget = 300
    assert ledger.affords()
    assert "300" in ledger.reason


@pytest.mark.parametrize(("budget", "step"), [(100 * MIB, 4 * MIB), (13 * MIB, 3 * MIB)])
def test_lanes_share_what_is_left(budget, step):
    ledger = Ledger(budget)
    lanes = [Lane(2 * MIB), Lane(3 * MIB)]
    for lane in lanes:
        ledger.count(lane)
    ledger.note(Holder(), 2 * MIB)
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
