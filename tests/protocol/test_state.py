import itertools

import pytest

from ws4py.protocol import state
from ws4py.protocol.state import (
    CLOSE_RECEIVED,
    CLOSE_SENT,
    CLOSED,
    FAILING,
    OPEN,
    TRANSITIONS,
    Act,
    State,
)

PAIRS = list(itertools.product(State, Act))

# Programming errors: a second close frame, and anything behind the end.
UNDEFINED = {
    (CLOSE_SENT, Act.SEND_CLOSE),
    (CLOSE_RECEIVED, Act.RECEIVE_CLOSE),
    (CLOSE_RECEIVED, Act.FAIL),
    (FAILING, Act.RECEIVE_CLOSE),
    (FAILING, Act.FAIL),
    (CLOSED, Act.SEND_CLOSE),
    (CLOSED, Act.RECEIVE_CLOSE),
    (CLOSED, Act.FAIL),
}


def walk(*acts):
    """The state that a connection is in after the acts."""
    reached = OPEN
    for act in acts:
        reached = TRANSITIONS[reached, act]
    return reached


class TestTable:
    """RFC 6455 sections 5.5.1 and 7.1."""

    @pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].name}-{pair[1].name}")
    def test_a_pair_is_a_row_or_an_error(self, pair):
        if pair in UNDEFINED:
            with pytest.raises(KeyError):
                TRANSITIONS[pair]
        else:
            assert TRANSITIONS[pair] in State

    def test_it_has_no_other_rows(self):
        assert set(TRANSITIONS) == set(PAIRS) - UNDEFINED

    def test_every_state_is_reached_and_left(self):
        reached = {OPEN} | set(TRANSITIONS.values())
        left = {before for (before, _), after in TRANSITIONS.items() if after is not before}
        assert reached == set(State)
        assert left == set(State) - {CLOSED}

    def test_nothing_leads_back(self):
        order = [OPEN, CLOSE_SENT, CLOSE_RECEIVED, FAILING, CLOSED]
        for (before, act), after in TRANSITIONS.items():
            assert order.index(after) > order.index(before) or (before, act) == (CLOSED, Act.LOSE)

    def test_a_connection_can_be_lost_in_any_state(self):
        assert {TRANSITIONS[each, Act.LOSE] for each in State} == {CLOSED}

    def test_at_most_one_close_frame_is_sent(self):
        """Section 5.5.1: nothing may be sent behind it."""
        for reached in (TRANSITIONS[pair] for pair in TRANSITIONS if pair[1] is Act.SEND_CLOSE):
            later = {reached} | {TRANSITIONS.get((reached, act)) for act in Act}
            assert not [each for each in later if (each, Act.SEND_CLOSE) in TRANSITIONS]


class TestHandshakes:
    def test_ours(self):
        """Section 7.1.2."""
        assert walk(Act.SEND_CLOSE) is CLOSE_SENT
        assert walk(Act.SEND_CLOSE, Act.RECEIVE_CLOSE) is CLOSED

    def test_the_peers(self):
        assert walk(Act.RECEIVE_CLOSE) is CLOSE_RECEIVED
        assert walk(Act.RECEIVE_CLOSE, Act.SEND_CLOSE) is CLOSED

    def test_failing(self):
        """Section 7.1.7: our close frame is the last word, an answer is not waited for."""
        assert walk(Act.FAIL) is FAILING
        assert walk(Act.FAIL, Act.SEND_CLOSE) is CLOSED
        assert walk(Act.SEND_CLOSE, Act.FAIL) is CLOSED


def test_names_of_states_are_constants_of_the_module():
    assert {name: getattr(state, name) for name in State.__members__} == State.__members__
