from __future__ import annotations

import json

import pytest

from conformance import cli, policy
from conformance.failure import ConformanceError
from conformance.verdicts import OK, Verdict

INFORMATIONAL = Verdict("INFORMATIONAL", "INFORMATIONAL")
UNIMPLEMENTED = Verdict("UNIMPLEMENTED", "OK")
RULES = [
    policy.ExceptionRule("7.1.6", INFORMATIONAL, "a reason"),
    policy.ExceptionRule("12.*", UNIMPLEMENTED, "a reason"),
]


def test_ok_needs_no_exception():
    assert policy.unacceptable({"1.1.1": OK, "12.1.1": OK}, []) == []


def test_an_excepted_verdict_is_acceptable_for_the_cases_meant():
    assert policy.unacceptable({"7.1.6": INFORMATIONAL, "12.1.1": UNIMPLEMENTED}, RULES) == []


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        ("7.1.5", INFORMATIONAL),
        ("1.2.1", UNIMPLEMENTED),
        ("7.1.6", UNIMPLEMENTED),
        ("12.1.1", Verdict("UNIMPLEMENTED", "UNCLEAN")),
        ("7.1.6", Verdict("NON-STRICT", "OK")),
        ("2.1", Verdict("OK", "FAILED BY CLIENT")),
    ],
)
def test_anything_else_is_not(case, verdict):
    assert policy.unacceptable({"1.1.1": OK, case: verdict}, RULES) == [case]


def test_an_exception_is_unused_once_its_cases_are_ok():
    assert policy.unused({"7.1.6": INFORMATIONAL, "12.1.1": OK, "12.1.2": OK}, RULES) == ["12.*"]


def load(tmp_path, entry):
    file = tmp_path / "exceptions.json"
    file.write_text(json.dumps({"7.1.5": entry}), encoding="utf-8")
    return policy.load_exceptions(file)


@pytest.mark.parametrize(
    "verdict", [("NON-STRICT", "OK"), ("FAILED", "FAILED"), ("OK", "UNCLEAN"), ("OK", "OK")]
)
def test_a_defect_cannot_be_excepted(tmp_path, verdict):
    entry = {"behavior": verdict[0], "behaviorClose": verdict[1], "why": "it is hard"}
    with pytest.raises(ConformanceError, match="cannot be excepted"):
        load(tmp_path, entry)


@pytest.mark.parametrize("why", [{}, {"why": " "}])
def test_an_exception_without_a_reason_is_refused(tmp_path, why):
    entry = {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL", **why}
    with pytest.raises(ConformanceError, match="no reason"):
        load(tmp_path, entry)


def test_the_committed_exceptions_are_valid():
    rules = policy.load_exceptions(cli.EXCEPTIONS)
    assert {rule.verdict for rule in rules} <= set(policy.TOLERABLE)
