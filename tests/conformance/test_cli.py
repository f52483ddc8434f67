from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from conformance import cli, environment, python27, suite, testee
from conformance.failure import CannotRunHereError
from conformance.verdicts import OK, Verdict, load_expected, write_expected

INFORMATIONAL = Verdict("INFORMATIONAL", "INFORMATIONAL")
NON_STRICT = Verdict("NON-STRICT", "OK")
FAILED = Verdict("FAILED", "FAILED")

# No test may start the real suite.
pytestmark = pytest.mark.usefixtures("fake")

GOOD = {"1.1.1": OK, "7.1.6": INFORMATIONAL, "9.1.1": OK}

SERVER = "import time; print(12345, flush=True); time.sleep(600)"


class FakeSuite:
    """In place of the suite: has these cases and gives these verdicts, in the suite's own files."""

    def __init__(self):
        self.offers = list(GOOD)
        self.gives = dict(GOOD)
        self.jobs = []

    def offered_cases(self, python):
        return self.offers

    def execute(self, python, job):
        self.jobs.append(job)
        given = {case: verdict for case, verdict in self.gives.items() if case in job.cases}
        index = {case: self.report(job, case, verdict) for case, verdict in given.items()}
        document = {job.agent: index} if index else {}
        (job.reports / "index.json").write_text(json.dumps(document), encoding="utf-8")

    def report(self, job, case, verdict):
        words = {"behavior": verdict.behavior, "behaviorClose": verdict.behavior_close}
        record = {
            "id": case,
            "description": "Sends",
            "expectation": "Echo",
            "result": f"what was seen of {case}",
            "resultClose": "closed",
            "remoteCloseCode": 1000,
            "remoteCloseReason": None,
            "droppedByMe": False,
            "wasServerConnectionDropTimeout": False,
            "wasOpenHandshakeTimeout": False,
            "wasCloseHandshakeTimeout": False,
            "wirelog": [],
        }
        file = job.reports / f"{case}.json"
        file.write_text(json.dumps({**record, **words}), encoding="utf-8")
        return {**words, "reportfile": file.name}


@pytest.fixture
def fake(monkeypatch):
    fake_suite = FakeSuite()
    monkeypatch.setattr(suite, "offered_cases", fake_suite.offered_cases)
    monkeypatch.setattr(suite, "execute", fake_suite.execute)
    monkeypatch.setattr(python27, "find", lambda _environ: Path("python2.7"))
    monkeypatch.setattr(environment, "prepare", lambda _cache, python: python)
    monkeypatch.setattr(testee, "SERVERS", {"cherrypy": (sys.executable, "-c", SERVER)})
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("WS4PY_REQUIRE_ALL", raising=False)
    return fake_suite


@pytest.fixture(autouse=True)
def expected(tmp_path, monkeypatch):
    """The file of expected verdicts, of a folder that belongs to the test."""
    reason = {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL", "why": "not judged"}
    exceptions = tmp_path / "exceptions.json"
    exceptions.write_text(json.dumps({"7.1.6": reason}), encoding="utf-8")
    monkeypatch.setattr(cli, "EXCEPTIONS", exceptions)
    monkeypatch.setattr(cli, "EXPECTED", tmp_path / "expected")
    monkeypatch.setattr(cli, "REPORTS", tmp_path / "reports")
    file = tmp_path / "expected" / "cherrypy.json"
    write_expected(file, GOOD)
    return file


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def test_a_run_as_expected_passes(capsys):
    assert cli.main([]) == 0
    assert last_line(capsys) == "3 passed, 0 failed"


def test_the_suite_gets_the_running_server_and_the_chosen_cases(fake):
    cli.main(["--quick", "--deadline", "7"])
    (job,) = fake.jobs
    specification = json.loads(job.specification())
    assert specification["servers"] == [
        {"agent": "ws4py-cherrypy", "url": "ws://127.0.0.1:12345/ws"}
    ]
    assert specification["cases"] == ["1.1.1", "7.1.6"]
    assert job.seconds == 7


def test_quick_is_compared_with_its_part_of_what_is_expected(capsys):
    assert cli.main(["--quick"]) == 0
    assert last_line(capsys) == "2 passed, 0 failed"


def test_named_cases_are_compared_with_their_part(capsys):
    assert cli.main(["--cases", "9.*", "1.1.1"]) == 0
    assert last_line(capsys) == "2 passed, 0 failed"


@pytest.mark.parametrize("worse", [FAILED, NON_STRICT, Verdict("OK", "UNCLEAN")])
def test_a_worse_verdict_fails_and_is_told_in_full(fake, capsys, worse):
    fake.gives["1.1.1"] = worse
    assert cli.main([]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "2 passed, 1 failed"
    assert "1.1.1  worse  OK / OK" in out
    assert "what was seen of 1.1.1" in out
    assert "what was seen of 9.1.1" not in out


def test_a_better_verdict_fails_too(fake, capsys):
    fake.gives["7.1.6"] = OK
    assert cli.main([]) == 1
    assert last_line(capsys) == "2 passed, 1 failed"


def test_a_case_that_was_not_executed_fails(fake, capsys):
    del fake.gives["9.1.1"]
    assert cli.main([]) == 1
    assert last_line(capsys) == "2 passed, 1 failed"


def test_a_case_that_nobody_expected_fails(fake, capsys):
    fake.offers.append("1.1.2")
    fake.gives["1.1.2"] = OK
    assert cli.main([]) == 1
    assert last_line(capsys) == "3 passed, 1 failed"


def test_a_case_of_the_suite_that_nobody_expected_and_that_did_not_run_fails(fake, capsys):
    fake.offers.append("1.1.2")
    assert cli.main([]) == 1
    assert last_line(capsys) == "3 passed, 1 failed"


def test_a_run_in_which_nothing_was_executed_fails(fake, capsys):
    fake.gives.clear()
    assert cli.main([]) == 1
    assert last_line(capsys) == "0 passed, 3 failed"


@pytest.mark.parametrize("arguments", [["--cases", "99.*"], ["--cases", "9.9.9"]])
def test_a_choice_that_means_nothing_fails(fake, capsys, arguments):
    assert cli.main(arguments) == 1
    assert last_line(capsys) == "0 passed, 1 failed"
    assert fake.jobs == []


def test_the_last_runs_report_cannot_pass_for_this_ones(monkeypatch, capsys):
    assert cli.main([]) == 0
    monkeypatch.setattr(suite, "execute", lambda _python, _job: None)
    assert cli.main([]) == 1
    assert last_line(capsys) == "0 passed, 1 failed"


def test_a_defect_cannot_be_committed_as_expected(fake, expected, capsys):
    fake.gives["1.1.1"] = NON_STRICT
    write_expected(expected, {**GOOD, "1.1.1": NON_STRICT})
    assert cli.main([]) == 1
    assert "must not be expected" in capsys.readouterr().out
    assert fake.jobs == []


def test_an_exception_that_no_case_needs_fails(expected, capsys):
    write_expected(expected, {**GOOD, "7.1.6": OK})
    assert cli.main([]) == 1
    assert "7.1.6" in capsys.readouterr().out


def test_update_writes_what_was_found_and_says_so(fake, expected, capsys):
    fake.offers.append("1.1.2")
    fake.gives["1.1.2"] = OK
    assert cli.main(["--update"]) == 0
    assert load_expected(expected) == {**GOOD, "1.1.2": OK}
    out = capsys.readouterr().out
    assert "UPDATED" in out
    assert out.splitlines()[-1] == "4 passed, 0 failed"


def test_update_makes_the_first_file(expected):
    expected.unlink()
    assert cli.main([]) == 1
    assert cli.main(["--update"]) == 0
    assert load_expected(expected) == GOOD


def test_update_refuses_a_defect(fake, expected, capsys):
    fake.gives["1.1.1"] = FAILED
    assert cli.main(["--update"]) == 1
    assert load_expected(expected) == GOOD
    out = capsys.readouterr().out
    assert "NOT updated" in out
    assert "what was seen of 1.1.1" in out
    assert out.splitlines()[-1] == "2 passed, 1 failed"


def test_update_refuses_an_incomplete_run(fake, expected, capsys):
    del fake.gives["9.1.1"]
    assert cli.main(["--update"]) == 1
    assert load_expected(expected) == GOOD
    assert last_line(capsys) == "2 passed, 1 failed"


def test_update_refuses_an_exception_that_no_case_needs(fake, expected):
    fake.gives["7.1.6"] = OK
    assert cli.main(["--update"]) == 1
    assert load_expected(expected) == GOOD


@pytest.mark.parametrize("part", [["--quick"], ["--cases", "1.*"]])
def test_update_is_for_whole_runs_only(fake, part):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--update", *part])
    assert caught.value.code == 2
    assert fake.jobs == []


@pytest.fixture
def nowhere(monkeypatch):
    """A machine without Python 2.7."""

    def find(_environ):
        raise CannotRunHereError("no CPython 2.7; install one")

    monkeypatch.setattr(python27, "find", find)


@pytest.mark.usefixtures("fake", "nowhere")
def test_without_python27_a_person_sees_a_skip(capsys):
    assert cli.main(["--quick"]) == 0
    out = capsys.readouterr().out
    assert "conformance: cannot run here: no CPython 2.7" in out
    assert out.splitlines()[-1] == "0 passed, 0 failed, 2 skipped"


@pytest.mark.usefixtures("fake", "nowhere")
@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("WS4PY_REQUIRE_ALL", "1")])
def test_without_python27_ci_fails_and_says_how_to_get_it(monkeypatch, capsys, name, value):
    monkeypatch.setenv(name, value)
    assert cli.main(["--quick"]) == 1
    out = capsys.readouterr().out
    assert "install one" in out
    assert out.splitlines()[-1] == "0 passed, 1 failed"


@pytest.mark.usefixtures("fake", "nowhere")
def test_without_python27_an_update_fails(capsys):
    assert cli.main(["--update"]) == 1
    assert last_line(capsys) == "0 passed, 1 failed"


@pytest.fixture
def another(fake, expected, monkeypatch):
    """A second server, with expected verdicts of its own."""
    assert fake, "it has replaced the servers"
    program = testee.SERVERS["cherrypy"]
    monkeypatch.setattr(testee, "SERVERS", {"cherrypy": program, "wsgiref": program})
    file = expected.with_name("wsgiref.json")
    write_expected(file, GOOD)
    return file


@pytest.mark.usefixtures("another")
def test_every_server_is_tested(fake, capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert "conformance: wsgiref: 3 passed, 0 failed" in out
    assert out.splitlines()[-1] == "6 passed, 0 failed"
    assert [job.agent for job in fake.jobs] == ["ws4py-cherrypy", "ws4py-wsgiref"]


@pytest.mark.usefixtures("another")
def test_one_server_can_be_chosen(fake, capsys):
    assert cli.main(["--server", "wsgiref"]) == 0
    assert last_line(capsys) == "3 passed, 0 failed"
    assert [job.agent for job in fake.jobs] == ["ws4py-wsgiref"]


def test_a_server_that_is_not_as_expected_fails_the_run(another, capsys):
    write_expected(another, {**GOOD, "1.1.1": FAILED})
    assert cli.main([]) == 1
    assert "conformance: cherrypy: 3 passed, 0 failed" in capsys.readouterr().out
