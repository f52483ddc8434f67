"""Random frames, right and wrong: the lane under gevent's hub makes of them what Python does."""

from hypothesis import given, settings

from tests._engine.test_lane_agrees import CUTS, SEQUENCES, cut, outcome
from tests.support import fuzzing
from tests.support.hub_serving import hub_engine

fuzzing.set_up()


def test_the_same_callbacks_and_the_same_answers():
    with hub_engine("lane") as fast, hub_engine("portable") as portable:

        @settings(max_examples=100)
        @given(sequence=SEQUENCES, places=CUTS)
        def agree(sequence, places):
            pieces = cut(b"".join(sequence), places)
            assert outcome(fast, pieces) == outcome(portable, pieces)

        agree()
