"""The same bytes to other implementations: what was delivered, and which close code.

The others are ``websockets`` and ``wsproto`` without their I/O. Where they differ from us,
the reason has to be in :data:`fuzz.differential.allowed.ALLOWED`. `make fuzz` compares many
more streams.
"""

import pytest

from fuzz.differential.allowed import ALLOWED
from fuzz.differential.compare import differences, explain
from fuzz.differential.implementations import OTHERS, ours
from fuzz.differential.streams import stream
from fuzz.wire import CLOSE, CONTINUATION, take_frame

SEEDS = range(300)

others = pytest.mark.parametrize("who", OTHERS)


def shape(given):
    """Whether control frames stand between the fragments of a compressed message."""
    at, inside = 0, False
    while (found := take_frame(given.data, at)) is not None:
        frame, at = found
        if frame.opcode >= CLOSE and inside:
            return "mixed"
        if frame.opcode < CLOSE:
            compressed = frame.rsv if frame.opcode != CONTINUATION else inside
            inside = bool(compressed) and not frame.fin
    return "plain"


@others
def test_good_streams_mean_the_same(who):
    compared = 0
    for seed in SEEDS:
        given = stream(seed, right=True)
        we = ours(given)
        assert we.code in (None, 1000, 1005, 1012, 3000)
        # The one thing that one of them does wrong with right streams.
        if (who, shape(given)) != ("wsproto", "mixed"):
            assert we.agrees(OTHERS[who](given)), f"seed {seed}"
            compared += 1
    assert compared > len(SEEDS) / 2


def test_bad_streams_end_the_same():
    refused = 0
    for seed in SEEDS:
        given = stream(seed, right=False)
        refused += ours(given).code in (1002, 1007, 1009)
        # Raises for a difference without a reason.
        differences(given, seed)
    # Otherwise the streams would be too tame to show anything.
    assert refused > len(SEEDS) // 4


def test_a_difference_without_a_reason_is_told():
    given = stream(0, right=True)
    we = ours(given)
    with pytest.raises(AssertionError, match="websockets differs"):
        explain("websockets", given, we, we._replace(events=[], code=1000))


#: Too rare to be met by as many streams as a test has time for.
RARE = "section 7.2.3.4"


def test_every_allowed_difference_is_still_one():
    """A reason that no stream needs any more has to go."""
    missing = {(each.who, each.why) for each in ALLOWED if RARE not in each.why}
    for seed in range(8000):
        given = stream(seed, right=False)
        we = ours(given)
        for who, outcome in OTHERS.items():
            they = outcome(given)
            if not we.agrees(they):
                missing.discard((who, explain(who, given, we, they)))
        if not missing:
            return
    pytest.fail(f"never needed: {missing}")
