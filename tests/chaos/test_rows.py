"""The list of rows, and what is made of how they ended."""

import re

import pytest

from chaos import cli, runner, table
from chaos.arena import Arena
from chaos.later import LISTED
from chaos.record import Record, read
from chaos.row import ROWS, Row
from chaos.rows import load_all, soak
from chaos.settings import Settings

#: How many rows each section of the plan has.
PLAN = {"A": 12, "B": 13, "C": 6, "D": 10, "E": 17, "S": 5, "F": 7}


@pytest.fixture(autouse=True)
def _rows():
    load_all()


def arena():
    return Arena("cherrypy", None, Settings(), None, 0)


def test_every_row_of_the_plan_is_run_or_listed_with_its_reason():
    listed = {name for each in LISTED for name in re.findall(r"[A-Z]\d+", each)}
    listed |= {f"F{number}" for number in range(1, 7)}
    for letter, count in PLAN.items():
        for number in range(1, count + 1):
            assert f"{letter}{number}" in ROWS or f"{letter}{number}" in listed
    assert all(each.reason for each in LISTED.values())


def test_the_rows_of_the_quick_part_are_of_every_cheap_section():
    assert {each.name[0] for each in cli._chosen(None, quick=True)} >= {"A", "B", "C", "D", "E"}


def test_rows_are_chosen_by_name_and_by_section():
    assert [each.name for each in cli._chosen(["d8", "d8b"], quick=False)] == ["D8", "D8b"]
    assert [each.name for each in cli._chosen(["C"], quick=False)] == [f"C{n}" for n in range(1, 7)]
    assert cli._chosen(["Z9"], quick=False) == []


def test_checks():
    subject = arena()
    subject.at_most("some", 100.0, 100.0, "ms")
    subject.at_most("a little too many", 119.0, 100.0, "ms")
    subject.at_most("far too many", 121.0, 100.0)
    subject.at_most("never", None, 100.0, "s")
    subject.at_least("too few", 81.0, 100.0, "/s")
    subject.equal("code", 1002, 1009)
    subject.one_of("status", 400, [400, 426])
    subject.holds("serves", passed=True)
    assert [each.passed for each in subject.checks] == [True, *[False] * 5, True, True]
    assert [each.near for each in subject.checks] == [False, True, False, False, True, *[False] * 3]
    assert [each.timed for each in subject.checks][:5] == [True, True, False, True, True]


@pytest.fixture(name="attempts")
def fixture_attempts(monkeypatch):
    """How often a row was tried whose check fails by so much."""
    seen = []

    def run(value, others=0.0):
        seen.clear()

        def attempt(*_):
            subject = arena()
            subject.at_most("took", value, 100.0, "ms")
            subject.note(others_cpu=others)
            seen.append(subject)
            return subject

        monkeypatch.setattr(runner, "_attempt", attempt)
        row = Row(name="A1", title="t", expected="e", run=lambda _: None)
        return runner.run(row, "cherrypy", None)

    run.seen = seen
    return run


@pytest.mark.parametrize(
    ("value", "others", "times"),
    [(90.0, 0.0, 1), (110.0, 0.0, 3), (500.0, 0.0, 1), (500.0, 1.5, 3)],
    ids=["passed", "near", "far", "far on a busy machine"],
)
def test_what_fails_nearly_is_tried_again(attempts, value, others, times):
    result = attempts(value, others)
    assert len(attempts.seen) == result["attempts"] == times
    assert result["passed"] is (value <= 100.0)
    assert len(result["failed_before"]) == times - 1


def results():
    common = {"server": "cherrypy", "title": "an attack", "expected": "a | b"}
    figures = {"others_cpu": 1.0}
    return [
        {**common, "row": "A1", "passed": True, "seen": "all", "attempts": 1, "figures": {},
         "failed_before": []},
        {**common, "row": "A2", "passed": False, "seen": "none", "attempts": 2,
         "figures": figures, "failed_before": ["W"], "seconds": 1.0},
        {**common, "row": "A3", "passed": False, "cannot": "no openssl", "listed": False},
    ]  # fmt: skip


def test_the_table(tmp_path):
    run = {"server": "cherrypy", "cores": 2, "processor": "p", "python": "3", "kernel": "k"}
    document = tmp_path / "cherrypy.jsonl"
    whole = Record(document, again=False)
    for each in results():
        whole.keep(each)
    whole.close({**run, "load": 0.5, "minutes": 9})
    text = table.markdown([document])
    assert "1 of 3 rows passed. 9 minutes on 2 cores" in text
    assert "with a star" not in text
    assert "| A1 | an attack | a \\| b | all | passed |" in text
    assert "none (attempt 2; before: W) (others used 100% of a core) | **failed** |" in text
    assert "cannot run here: no openssl | not run |" in text
    assert all(f"| {name} | {each.title} |" in text for name, each in LISTED.items())


def test_rows_that_are_run_again(tmp_path):
    document = tmp_path / "cherrypy.jsonl"
    whole = Record(document, again=False)
    for each in results():
        whole.keep(each)
    later = Record(document, again=True)
    later.keep({**results()[1], "passed": True, "seen": "now"})
    lines = read(document)
    assert [each["row"] for each in lines] == ["A1", "A2", "A3"]
    assert [each["seen"] for each in lines[:2]] == ["all", "now"]
    text = table.markdown([document])
    assert "2 of 3 rows passed. Rows with a star" in text
    assert "| A2* |" in text
    assert [each["row"] for each in Record(document, again=False)._lines] == []


def test_a_line_for_the_terminal():
    lines = [table.line(each) for each in results()]
    assert "passed" in lines[0]
    assert "FAILED (attempt 2) (others used 100% of a core)" in lines[1]
    assert lines[2].endswith("A3   cannot run here: no openssl")


@pytest.mark.parametrize("required", [False, True])
def test_the_exit_status(monkeypatch, required):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("WS4PY_REQUIRE_ALL", "1" if required else "0")
    passed, failed, cannot = results()
    assert cli._status([passed]) == 0
    assert cli._status([passed, failed]) == 1
    assert cli._status([passed, cannot]) == (1 if required else 0)
    assert cli._status([passed, {**cannot, "listed": True}]) == 0
    assert cli._status([]) == 1


def test_the_slope_of_a_line():
    assert soak._slope([(0.0, 10), (1.0, 12), (2.0, 14)]) == pytest.approx(2.0)
    assert soak._slope([(0.0, 10)]) == 0.0
