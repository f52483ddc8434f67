from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import rounds
from benchmarks.cores import Cores
from benchmarks.environments import Prepared
from benchmarks.failure import MeasurementError
from benchmarks.measure import Bench
from benchmarks.registry import PEERS
from benchmarks.scenarios import MAIN

BENCH = Bench(Path("load"), Cores(0, 1), Path("logs"), 1.0, 0.0, 10)


def plan(*peers, scenarios=("one",), number=2, calls=False):
    prepared = [Prepared(PEERS[name], ("true",), Path(), {}, {}) for name in peers]
    return rounds.Plan([MAIN[name] for name in scenarios], prepared, number, calls)


def test_every_peer_is_measured_in_every_round_and_nobody_is_always_first():
    assert list(rounds.order(3, ["a", "b"])) == [
        (0, "a"),
        (0, "b"),
        (1, "b"),
        (1, "a"),
        (2, "a"),
        (2, "b"),
    ]


class Script:
    """Measures as it was told, and knows what it was asked."""

    def __init__(self, **failing) -> None:
        self.failing = failing
        self.asked = []

    def __call__(self, bench, prepared, scenario):
        self.asked.append((scenario.name, prepared.peer.name))
        error = self.failing.get(prepared.peer.name)
        if error:
            raise error
        return {"cpu_us": len(self.asked)}


def execute(what, measure, count=None):
    said = []
    results = rounds.execute(BENCH, what, said.append, measure, count or Script())
    return results, said


def test_figures_are_kept_by_scenario_and_peer():
    measure = Script()
    results, said = execute(plan("c", "picows", scenarios=("one", "burst")), measure)
    assert results["one"] == {
        "c": {"rounds": [{"cpu_us": 1}, {"cpu_us": 4}]},
        "picows": {"rounds": [{"cpu_us": 2}, {"cpu_us": 3}]},
    }
    assert list(results) == ["one", "burst"]
    assert len(said) == len(measure.asked) == 8


@pytest.mark.parametrize("error", [MeasurementError("it broke"), ProcessLookupError("it broke")])
def test_a_failure_is_that_peers_result_and_it_is_not_tried_again(error):
    measure = Script(picows=error)
    results, _ = execute(plan("c", "picows", number=3), measure)
    assert results["one"]["picows"] == {"rounds": [], "failed": "it broke"}
    assert len(results["one"]["c"]["rounds"]) == 3
    assert measure.asked.count(("one", "picows")) == 1


def test_an_error_of_the_harness_itself_is_not_swallowed():
    with pytest.raises(KeyError):
        execute(plan("c"), Script(c=KeyError("a bug")))


def test_calls_are_counted_once_for_those_who_did_not_fail():
    count = Script()
    results, _ = execute(
        plan("c", "picows", "tornado", calls=True), Script(picows=MeasurementError("broke")), count
    )
    assert count.asked == [("one", "c"), ("one", "tornado")]
    assert results["one"]["c"]["calls"] == {"cpu_us": 1}


def test_calls_that_cannot_be_counted_leave_the_figures():
    count = Script(c=MeasurementError("not permitted"))
    results, _ = execute(plan("c", calls=True), Script(), count)
    assert results["one"]["c"]["calls_failed"] == "not permitted"
    assert len(results["one"]["c"]["rounds"]) == 2


def test_nothing_is_called_while_idle():
    count = Script()
    execute(plan("c", scenarios=("idle",), calls=True), Script(), count)
    assert count.asked == []


def test_only_who_serves_pages_is_asked_for_one():
    results, _ = execute(plan("c", "picows", scenarios=("http",)), Script())
    assert list(results["http"]) == ["c"]
