from __future__ import annotations

import json

from conformance import report
from conformance.verdicts import OK, Difference, Verdict

RECORD = {
    "id": "7.9.1",
    "behavior": "FAILED",
    "behaviorClose": "WRONG CODE",
    "description": "Send close with<br><b>code 0</b> &amp; wait",
    "expectation": "Clean close",
    "result": "The close code should have been 1002 or empty",
    "resultClose": "as said",
    "remoteCloseCode": 1005,
    "remoteCloseReason": "bad code",
    "droppedByMe": True,
    "wasServerConnectionDropTimeout": True,
    "wasOpenHandshakeTimeout": False,
    "wasCloseHandshakeTimeout": False,
    "wirelog": [
        ["TF", [2, "\u0000\u0000"], 8, True, 0, "a3ecc5a9", None, None, False],
        ["TO", [8, "8882a3ecc5a9a3ec"], False],
        ["KL", 1],
        ["RF", [31, "0x03ed"], 8, True, 0, False, None],
    ],
}


def test_the_table_has_a_line_for_each_difference():
    differences = [
        Difference("2.9", OK, Verdict("FAILED", "OK")),
        Difference("2.10", OK, None),
    ]
    lines = report.table(differences).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["2.9", "worse", "OK", "/", "OK", "FAILED", "/", "OK"],
        ["2.10", "not", "executed", "OK", "/", "OK", "-"],
    ]
    columns = {line.index("OK / OK") for line in lines[1:]}
    assert columns == {lines[0].index("expected")}


def test_a_case_is_told_in_words():
    text = report.describe(RECORD)
    assert "does:    Send close with code 0 & wait" in text
    assert (
        "close code from the server: 1005; its reason: 'bad code'; TCP closed by the suite" in text
    )
    assert "the server did not close TCP in time" in text
    assert "> frame close fin=1 rsv=0 length=2" in text
    assert "< frame close fin=1 rsv=0 length=31" in text
    assert "will fail the connection after 1 s" in text


def test_a_long_wire_log_keeps_its_beginning_and_its_end():
    octets = [["TO", [number, "81"], True] for number in range(1000)]
    text = report.describe({**RECORD, "wirelog": octets})
    assert "> 0 octets" in text
    assert "> 999 octets" in text
    assert "> 500 octets" not in text
    assert f"... {1000 - report.FIRST_ENTRIES - report.LAST_ENTRIES} entries ..." in text


def test_an_entry_of_an_unknown_kind_is_shown_as_it_is():
    text = report.describe({**RECORD, "wirelog": [["NEW", 1]]})
    assert "- ['NEW', 1]" in text


def test_many_cases_are_told_up_to_a_number(tmp_path):
    names = [f"1.{number}" for number in range(report.CASES_IN_FULL + 2)]
    (tmp_path / "case.json").write_text(json.dumps(RECORD), encoding="utf-8")
    index = {"agent": {name: {"reportfile": "case.json"} for name in names}}
    (tmp_path / "index.json").write_text(json.dumps(index), encoding="utf-8")
    *told, last = report.in_full(tmp_path, "agent", names)
    assert len(told) == report.CASES_IN_FULL
    assert "and 2 more" in last
