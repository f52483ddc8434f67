from __future__ import annotations

import json

import pytest

from conformance.failure import ConformanceError
from conformance.verdicts import (
    OK,
    Verdict,
    compare,
    load_expected,
    load_report,
    write_expected,
)

FAILED = Verdict("FAILED", "OK")
NON_STRICT = Verdict("NON-STRICT", "OK")
UNCLEAN = Verdict("OK", "UNCLEAN")


def kinds(expected, found, offered=()):
    return {each.case: each.kind for each in compare(expected, found, offered)}


def test_the_same_verdicts_differ_in_nothing():
    verdicts = {"1.1.1": OK, "6.4.3": NON_STRICT}
    assert compare(verdicts, dict(verdicts), list(verdicts)) == []


@pytest.mark.parametrize(
    ("expected", "found", "kind"),
    [
        (OK, FAILED, "worse"),
        (OK, UNCLEAN, "worse"),
        (NON_STRICT, OK, "better"),
        (NON_STRICT, FAILED, "changed"),
    ],
)
def test_every_change_is_a_difference(expected, found, kind):
    assert kinds({"1.1.1": expected}, {"1.1.1": found}) == {"1.1.1": kind}


def test_an_expected_case_that_was_not_executed():
    assert kinds({"1.1.1": OK, "1.1.2": OK}, {"1.1.1": OK}) == {"1.1.2": "not executed"}


def test_an_executed_case_that_nobody_expected():
    assert kinds({"1.1.1": OK}, {"1.1.1": OK, "1.1.2": OK}) == {"1.1.2": "not expected"}


def test_a_case_of_the_suite_that_was_neither_expected_nor_executed():
    assert kinds({"1.1.1": OK}, {"1.1.1": OK}, ["1.1.1", "1.1.2"]) == {"1.1.2": "not executed"}


def test_differences_come_in_natural_order():
    expected = dict.fromkeys(["10.1.1", "2.10", "2.9"], OK)
    assert [each.case for each in compare(expected, {}, [])] == ["2.9", "2.10", "10.1.1"]


def test_what_is_written_is_read_again(tmp_path):
    verdicts = {"2.10": OK, "2.9": NON_STRICT, "10.1.1": UNCLEAN}
    file = tmp_path / "expected" / "server.json"
    write_expected(file, verdicts)
    assert load_expected(file) == verdicts


def test_the_file_has_one_case_a_line_in_natural_order(tmp_path):
    file = tmp_path / "server.json"
    write_expected(file, {"2.10": OK, "2.9": NON_STRICT})
    assert file.read_text(encoding="utf-8") == (
        "{\n"
        '  "2.9": {"behavior": "NON-STRICT", "behaviorClose": "OK"},\n'
        '  "2.10": {"behavior": "OK", "behaviorClose": "OK"}\n'
        "}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "[]",
        '{"1.1.1": "OK"}',
        '{"1.1.1": {"behavior": "OK"}}',
        '{"one": {"behavior": "OK", "behaviorClose": "OK"}}',
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text):
    file = tmp_path / "server.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConformanceError):
        load_expected(file)


def test_a_missing_file_is_refused_with_the_way_to_make_it(tmp_path):
    with pytest.raises(ConformanceError, match="--update"):
        load_expected(tmp_path / "server.json")


def write_index(folder, document):
    (folder / "index.json").write_text(json.dumps(document), encoding="utf-8")


def test_the_suites_index_is_read(tmp_path):
    entry = {"behavior": "OK", "behaviorClose": "UNCLEAN", "duration": 3, "reportfile": "x.json"}
    write_index(tmp_path, {"agent": {"1.1.1": entry}})
    assert load_report(tmp_path, "agent") == {"1.1.1": UNCLEAN}


def test_an_index_without_the_server_means_that_nothing_was_executed(tmp_path):
    write_index(tmp_path, {})
    assert load_report(tmp_path, "agent") == {}


def test_an_index_that_speaks_of_another_server_is_refused(tmp_path):
    write_index(tmp_path, {"another": {}})
    with pytest.raises(ConformanceError, match="another"):
        load_report(tmp_path, "agent")


def test_no_index_is_refused(tmp_path):
    with pytest.raises(ConformanceError):
        load_report(tmp_path, "agent")
