from __future__ import annotations

import pytest

from benchmarks import table
from benchmarks.scenarios import MEAN_OF
from benchmarks.summary import summarise
from tests.benchmarks.test_summary import cell, figures


def document(results, **more):
    names = {name for cells in results.values() for name in cells}
    return {
        "machine": {
            "processor": "A Processor",
            "cores": 2,
            "kernel": "Linux 6",
            "python": "3.12.1",
            "compiler": "gcc 12",
        },
        "run": {
            "commit": "0123456789abcdef",
            "changed_files": 0,
            "started": "today",
            "rounds": 5,
            "seconds": 2.0,
            "server_core": 0,
            "load_core": 1,
            "descriptors": 20_000,
            "load_average": 0.25,
        },
        "peers": {
            name: {"title": name.upper(), "versions": {name: "1.2"}} for name in sorted(names)
        },
        "unavailable": {},
        "results": results,
        "summary": summarise(results),
        **more,
    }


def line_of(text, start):
    (line,) = [each for each in text.splitlines() if each.startswith(start)]
    return line


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04321, "0.0432"), (1.234, "1.23"), (56.78, "56.8"), (1234.5, "1,234"), (1e6, "1,000,000")],
)
def test_three_digits_mean_something(value, text):
    assert table.number(value) == text


def test_rows_are_markdown():
    assert table.rows(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_who_where_and_how():
    text = table.markdown(document({"one": {"c": cell(2)}}))
    for words in (
        "A Processor, 2 cores",
        "Commit 0123456789ab,",
        "5 rounds of 2 s",
        "20,000 descr",
        "average",
    ):
        assert words in text
    assert "changed" not in text


def test_a_checkout_with_changes_says_so():
    changed = document({"one": {"c": cell(2)}})
    changed["run"]["changed_files"] = 3
    assert "0123456789ab with 3 changed files" in table.markdown(changed)


def test_the_overview_has_time_and_ratio():
    results = {"one": {"c": cell(2), "picows": cell(5)}, "burst": {"c": cell(1)}}
    text = table.markdown(document(results))
    assert "| server | one | burst |" in text
    assert "| PICOWS | 5 (2.50) | - |" in text


def test_the_mean_comes_with_all_it_is_made_of():
    results = {name: {"c": cell(1), "picows": cell(3)} for name in MEAN_OF}
    text = table.markdown(document(results))
    assert line_of(text, "| server | one").endswith("| mean |")
    assert line_of(text, "| PICOWS | 3 (3.00)").endswith("| 3.00 |")


def test_a_handshake_stands_beside_a_request():
    results = {"handshake": {"c": cell(3), "picows": cell(4)}, "http": {"c": cell(2)}}
    text = table.markdown(document(results))
    assert "| server | handshake | http | handshake / http |" in text
    assert "| C | 3 (1.00) | 2 (1.00) | 1.50 |" in text
    assert "| PICOWS | 4 (1.33) | - | - |" in text


def test_a_scenario_has_everything_that_was_measured():
    results = {"one": {"c": cell(2, calls={"per_message": 2.04}), "picows": cell(4, 5)}}
    results["one"]["picows"]["rounds"][0]["load_busy"] = 0.99
    results["one"]["picows"]["rounds"][1]["load_busy"] = 0.95
    text = table.markdown(document(results)).partition("## one")[2]
    assert line_of(text, "| C |") == "| C | 2 | 0 | 1.00 | 500 | 1 | 2 | 50 % | 2.04 |"
    assert line_of(text, "| PICOWS") == "| PICOWS | 4.5 | 11 | 2.25 | 225 | 1 | 2 | 97 %! | - |"


def test_memory_has_its_steps():
    idle = {"rounds": [{"bytes": 2048.0, "rss": {"0": 10 << 20, "10000": 30 << 20}}]}
    text = table.markdown(document({"idle": {"c": idle}}))
    assert "| server | bytes per connection | ± % | MiB at 0 | MiB at 10,000 |" in text
    assert "| C | 2,048 | 0 | 10.0 | 30.0 |" in text
    assert "## Server CPU" not in text


def test_nobody_is_silently_dropped():
    results = {"one": {"c": cell(2), "picows": cell(1, failed="it\nbroke")}}
    text = table.markdown(document(results, unavailable={"tornado": "no\n  wheel"}))
    assert "- PICOWS failed: it broke" in text
    assert "## Not measured\n\n- tornado: no wheel" in text


def test_who_does_not_close_is_named():
    left = {"rounds": [figures(1, left_open=7)]}
    text = table.markdown(document({"connect": {"c": cell(2), "picows": left}}))
    assert "patience: PICOWS." in text


def test_versions_are_told():
    text = table.markdown(document({"one": {"c": cell(2), "picows": cell(1)}}))
    assert "- PICOWS: picows 1.2" in text


def test_a_scenario_in_which_all_failed_has_a_head_and_the_reasons():
    text = table.markdown(document({"idle": {"c": {"rounds": [], "failed": "too many"}}}))
    assert "- C failed: too many" in text
