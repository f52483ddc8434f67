import subprocess
import sys

import pytest

from fuzz import cli, environment, jobs
from fuzz.crashes import again
from fuzz.jobs import Job
from fuzz.targets import NAMES


def names(*arguments):
    options = cli.parse(list(arguments))
    targets = [part for part in options.parts if part in NAMES]
    return [job.name for job in cli.planned(options, targets)]


@pytest.fixture(autouse=True)
def no_atheris(monkeypatch):
    monkeypatch.setattr(cli, "atheris_python", lambda: None)


@pytest.fixture(autouse=True)
def no_library(monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "library", lambda: tmp_path / "kernel.so")


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="part of it is Linux's")


@linux
def test_everything():
    assert names() == [
        "kernel (compiled)",
        "kernel (pure)",
        "differential",
        "machine",
        *(f"{target} (hypothesis)" for target in NAMES),
    ]


@linux
def test_one_seed_of_one_build():
    assert names("--seed", "7", "--build", "pure", "kernel") == ["kernel (pure)"]
    options = cli.parse(["--seed", "7", "--build", "pure", "kernel"])
    (job,) = cli.planned(options, [])
    assert job.command[-3:] == ("pure", "7", "1")


def test_both_engines_share_the_time(monkeypatch, tmp_path):
    monkeypatch.setattr(cli, "atheris_python", lambda: tmp_path / "python")
    options = cli.parse(["--seconds", "40", "frames", "headers"])
    plan = cli.planned(options, ["frames", "headers"])
    assert [job.name for job in plan] == [
        "frames (hypothesis)",
        "frames (atheris)",
        "headers (hypothesis)",
        "headers (atheris)",
    ]
    # Two at a time.
    assert sum(job.seconds for job in plan) == 2 * 40


def test_a_quick_run_installs_nothing(monkeypatch):
    monkeypatch.delattr(cli, "atheris_python")
    assert names("--quick", "frames") == ["frames (hypothesis)"]


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--input", "file"], ["--input", "f", "kernel"]]
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit):
        cli.parse(arguments)
    assert "usage" in capsys.readouterr().err


def test_an_input_of_a_file(tmp_path, capsys):
    path = tmp_path / "input"
    path.write_bytes(b"\x01\x00\x00\x81\x80abcd")
    assert cli.main(["--input", str(path), "frames"]) == 0
    assert "every invariant holds" in capsys.readouterr().out


def job(program, **keywords):
    return Job("it", (sys.executable, "-c", program), ("--seed", "{seed}", "part"), **keywords)


def test_what_a_job_says_last_is_told(capsys):
    assert job("print('seed 1'); print('4 inputs')").run()
    assert "nothing found" in (told := capsys.readouterr().out)
    assert "4 inputs" in told


def test_a_find_is_told_with_the_seed_that_was_named_last(capsys):
    assert not job("print('seed 1'); print('seed 2'); raise SystemExit(1)").run()
    assert again("--seed", "2", "part") in capsys.readouterr().out


def test_a_find_of_libfuzzer_is_told_with_its_file(capsys):
    line = "artifact_prefix='x/'; Test unit written to x/crash-1"
    found = Job("it", (sys.executable, "-c", f"print({line!r}); exit(77)"), ("frames",))
    assert not found.run()
    assert again("--input", "x/crash-1", "frames") in capsys.readouterr().out


def test_a_job_that_hangs_is_ended(monkeypatch, capsys):
    monkeypatch.setattr(jobs, "_PATIENCE", 1.0)
    assert not job("import time; print('seed 5', flush=True); time.sleep(100)").run()
    assert "it hangs" in (told := capsys.readouterr().out)
    assert "--seed 5" in told


class TestAtheris:
    def missing(self, monkeypatch, calls):
        def run(command, **_keywords):
            calls.append(command)
            status = 1 if "pip" in command else 0
            return subprocess.CompletedProcess(command, status, "", "x\nERROR: no wheel for it\n")

        monkeypatch.setattr(environment.subprocess, "run", run)

    def test_that_there_is_none_is_told_and_remembered(self, monkeypatch, tmp_path, capsys):
        calls = []
        self.missing(monkeypatch, calls)
        for _ in range(2):
            assert environment.atheris_python(tmp_path / "atheris") is None
            assert "no atheris here" in (told := capsys.readouterr().out)
            assert "no wheel for it" in told
        assert len(calls) == 2

    def test_it_is_asked_for_again_the_next_day(self, monkeypatch, tmp_path):
        calls = []
        self.missing(monkeypatch, calls)
        monkeypatch.setattr(environment, "_ASK_AGAIN", -1.0)
        for _ in range(2):
            assert environment.atheris_python(tmp_path / "atheris") is None
        assert len(calls) == 4

    def test_where_there_is_one(self, monkeypatch, tmp_path):
        def run(command, **_keywords):
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(environment.subprocess, "run", run)
        folder = tmp_path / "atheris"
        assert environment.atheris_python(folder) == folder / "bin" / "python"
