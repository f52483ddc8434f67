from __future__ import annotations

import shutil

import pytest

from benchmarks import build
from benchmarks.failure import BenchmarkError, UnavailableError


@pytest.fixture
def steps(monkeypatch):
    """The commands that would have been run; each makes its target."""
    made = []

    def step(log, command, _folder):
        made.append(command)
        (log.parent / log.stem).write_text("a program")

    monkeypatch.setattr(build.commands, "step", step)
    monkeypatch.setattr(build, "compiler", lambda: "gcc")
    return made


def test_a_program_is_built_once(steps, tmp_path):
    first = build.program("echo", tmp_path)
    assert build.program("echo", tmp_path) == first
    assert len(steps) == 1
    assert first.read_text() == "a program"


def test_changed_sources_are_another_program(steps, tmp_path, monkeypatch):
    first = build.program("echo", tmp_path / "cache")
    sources = tmp_path / "c"
    shutil.copytree(build.SOURCES, sources)
    (sources / "wire.h").write_text("changed")
    monkeypatch.setattr(build, "SOURCES", sources)
    assert build.program("echo", tmp_path / "cache") != first
    assert len(steps) == 2


def test_every_source_is_in_a_program():
    named = {f"{part}.c" for parts in build.PROGRAMS.values() for part in parts}
    assert named == {path.name for path in build.SOURCES.glob("*.c")}


def test_a_program_that_does_not_build_ends_the_run(tmp_path, monkeypatch):
    def fails(*_arguments):
        raise UnavailableError("syntax error")

    monkeypatch.setattr(build, "compiler", lambda: "gcc")
    monkeypatch.setattr(build.commands, "step", fails)
    with pytest.raises(BenchmarkError, match=r"echo.c does not build: syntax error"):
        build.program("echo", tmp_path)


def test_the_compiler_may_be_chosen(monkeypatch):
    monkeypatch.setenv("CC", "clang-99")
    monkeypatch.setattr(shutil, "which", lambda name: name if name in {"clang-99", "cc"} else None)
    assert build.compiler() == "clang-99"
    monkeypatch.delenv("CC")
    assert build.compiler() == "cc"


def test_no_compiler_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BenchmarkError, match="apt-get install gcc"):
        build.compiler()


def test_functions_and_files_in_c_are_short_enough_to_read():
    for path in build.SOURCES.iterdir():
        lines = path.read_text().splitlines()
        assert len(lines) <= 500, path
        # A function's body stands between a brace at the line's begin and the next such.
        begin = 0
        for number, line in enumerate(lines):
            if line == "{":
                begin = number
            elif line == "}":
                assert number - begin <= 60, f"{path}:{begin}"
