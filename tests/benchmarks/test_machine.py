from __future__ import annotations

import platform
import sys

import pytest

from benchmarks import machine
from benchmarks.failure import UnavailableError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: A CPU @ 2:1\nmodel name\t: other\n", "A CPU @ 2:1"),
        ("Hardware\t: a board\n", "a board"),
        ("processor: 0\n", platform.machine()),
    ],
)
def test_the_processor_has_a_name(text, name):
    assert machine.processor(text) == name


def test_the_machine_is_described():
    found = machine.describe(sys.executable)
    assert found["cores"] >= 1
    assert found["compiler"].startswith("Python 3")
    assert found["memory_bytes"] > 1 << 20
    assert found["kernel"].startswith("Linux")


def test_the_commit_and_the_changes_since_are_told(monkeypatch):
    answers = {"rev-parse": "abc", "status": " M a\n?? b"}
    monkeypatch.setattr(machine.commands, "output_of", lambda command, _folder: answers[command[1]])
    assert machine.commit() == {"commit": "abc", "changed_files": 2}


def test_without_git_the_commit_is_unknown(monkeypatch):
    def fails(_command, _folder):
        raise UnavailableError("no git")

    monkeypatch.setattr(machine.commands, "output_of", fails)
    assert machine.commit() == {"commit": "unknown", "changed_files": None}
