from __future__ import annotations

from conformance import cases


def test_natural_order_is_by_number():
    mixed = ["10.1.1", "2.10", "2.9", "7.13.1", "7.9.13"]
    assert sorted(mixed, key=cases.natural) == ["2.9", "2.10", "7.9.13", "7.13.1", "10.1.1"]


def test_a_section_does_not_mean_the_sections_that_begin_with_its_digits():
    assert cases.select(["1.1.1", "10.1.1", "12.1.1", "13.1.1"], ["1.*"]) == ["1.1.1"]


def test_a_case_is_meant_by_its_name_alone():
    assert cases.select(["2.1", "2.10", "2.11"], ["2.1"]) == ["2.1"]


def test_quick_leaves_out_limits_and_compression_and_nothing_else():
    every = [f"{section}.1" for section in range(1, 14)]
    left_out = set(cases.select(every, cases.FULL)) - set(cases.select(every, cases.QUICK))
    assert left_out == {"9.1", "12.1", "13.1"}
