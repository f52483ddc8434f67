from __future__ import annotations

import re
from itertools import pairwise

from benchmarks import scenarios
from benchmarks.build import SOURCES


def test_names_say_which_scenario_and_no_two_are_the_same():
    assert len(scenarios.ALL) == len(scenarios.MAIN) + len(scenarios.GROWING)
    assert all(name == each.name for name, each in scenarios.ALL.items())
    assert len({each.title for each in scenarios.ALL.values()}) == len(scenarios.ALL)


def test_the_mean_is_over_scenarios_that_are_measured_by_default():
    assert {*scenarios.MEAN_OF} <= {*scenarios.MAIN}
    assert {scenarios.MAIN[name].load for name in scenarios.MEAN_OF} == {"echo"}


def test_curves_grow():
    for steps in (scenarios.IDLE_STEPS, scenarios.GROWING_CONNECTIONS, scenarios.GROWING_SIZES):
        assert all(a < b for a, b in pairwise(steps))
    assert scenarios.GROWING_SIZES[-1] == 16 << 20
    assert scenarios.GROWING_CONNECTIONS[-1] == scenarios.IDLE_STEPS[-1] == 10_000


def test_large_messages_come_on_few_connections():
    sizes = [each for each in scenarios.GROWING.values() if each.chart == "size"]
    assert len(sizes) == len(scenarios.GROWING_SIZES)
    assert all(each.size * each.connections <= 16 << 20 for each in sizes)
    assert min(each.connections for each in sizes) == 1


def test_only_the_servers_that_broadcast_are_asked_to():
    for each in scenarios.ALL.values():
        assert (each.mode == "broadcast") == (each.load == "broadcast")


def test_the_reference_takes_the_largest_message():
    limit = re.search(
        r"#define LARGEST \((\d+)u \* 1024 \* 1024\)", (SOURCES / "echo.c").read_text()
    )
    assert max(scenarios.GROWING_SIZES) <= int(limit[1]) << 20
