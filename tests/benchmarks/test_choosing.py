from __future__ import annotations

import pytest

from benchmarks import choosing
from benchmarks.failure import BenchmarkError
from benchmarks.registry import PEERS, REFERENCE
from benchmarks.scenarios import ALL, GROWING, MAIN


def names(chosen):
    return [each.name for each in chosen]


def test_without_words_it_is_the_main_scenarios_and_every_peer():
    assert names(choosing.scenarios([])) == list(MAIN)
    assert names(choosing.peers([])) == list(PEERS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["burst"], ["burst"]),
        (["burst", "one"], ["one", "burst"]),
        (["burst,one one"], ["one", "burst"]),
        (["broadcast-*"], ["broadcast-1000", "broadcast-5000"]),
        (["growing"], list(GROWING)),
        (["all"], list(ALL)),
        (["growing", "main"], list(ALL)),
    ],
)
def test_scenarios_come_in_their_order_and_once(words, expected):
    assert names(choosing.scenarios(words)) == expected


@pytest.mark.parametrize("word", ["picows", f"picows,{REFERENCE}"])
def test_the_reference_is_always_there(word):
    assert names(choosing.peers([word])) == [REFERENCE, "picows"]


def test_ours_is_a_word():
    assert all(each.ours for each in choosing.peers(["ours"])[1:])


@pytest.mark.parametrize("choose", [choosing.scenarios, choosing.peers])
def test_what_there_is_not_is_an_error_that_says_what_there_is(choose):
    with pytest.raises(BenchmarkError, match=r"'nothing'; there are (one|c), .*all"):
        choose(["nothing"])
