from __future__ import annotations

import sys

import pytest

from benchmarks import commands
from benchmarks.failure import UnavailableError


def test_a_step_is_logged_with_its_output(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import os; print(os.environ['HOW'], os.getcwd())"]
    commands.step(log, command, tmp_path, {"HOW": "so"})
    assert log.read_text().splitlines() == [f"$ {' '.join(command)}", f"so {tmp_path}"]


def test_a_step_that_fails_says_why(tmp_path):
    with pytest.raises(UnavailableError, match="no such release"):
        commands.step(tmp_path / "log", [sys.executable, "-c", "exit('no such release')"], tmp_path)


def test_a_command_that_is_not_there_says_so(tmp_path):
    with pytest.raises(UnavailableError, match="ws4py-nothing"):
        commands.step(tmp_path / "log", ["ws4py-nothing"], tmp_path)
    with pytest.raises(UnavailableError, match="ws4py-nothing"):
        commands.output_of(["ws4py-nothing"], tmp_path)


def test_a_step_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "STEP_SECONDS", 0.5)
    with pytest.raises(UnavailableError, match="timed out"):
        commands.step(
            tmp_path / "log", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path
        )


def test_output_is_returned_without_its_end(tmp_path):
    assert commands.output_of([sys.executable, "-c", "print('1.2')"], tmp_path) == "1.2"


def test_somebody_elses_modules_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    tell = "import os; print('PYTHONPATH' in os.environ)"
    assert commands.output_of([sys.executable, "-c", tell], tmp_path) == "False"
