from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conformance import python27
from conformance.failure import CannotRunHereError, ConformanceError


def fake_python27(path, answers):
    """A command in place of Python 2.7: it answers the probe with this path, or fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = f"echo {answers}" if answers else "echo 'Jython 2.7.3' >&2; exit 1"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_variable_comes_first(tmp_path):
    chosen = fake_python27(tmp_path / "mine", "/the/chosen/one")
    fake_python27(tmp_path / "pyenv/versions/2.7.18/bin/python2.7", "/pyenv/one")
    environ = {"PYTHON27": str(chosen), "PYENV_ROOT": str(tmp_path / "pyenv"), "PATH": ""}
    assert python27.find(environ) == Path("/the/chosen/one")


def test_a_variable_that_names_another_python_is_an_error_and_not_a_skip():
    with pytest.raises(ConformanceError, match="CPython 3") as caught:
        python27.find({"PYTHON27": sys.executable})
    assert not isinstance(caught.value, CannotRunHereError)


def test_a_variable_that_names_nothing_is_an_error(tmp_path):
    with pytest.raises(ConformanceError, match="PYTHON27"):
        python27.find({"PYTHON27": str(tmp_path / "missing")})


def test_the_newest_that_starts_is_taken_from_pyenv(tmp_path):
    fake_python27(tmp_path / "versions/2.7.9/bin/python2.7", "/nine")
    fake_python27(tmp_path / "versions/2.7.17/bin/python2.7", "/seventeen")
    fake_python27(tmp_path / "versions/2.7.18/bin/python2.7", None)
    (tmp_path / "versions/2.7-dev").mkdir()
    assert python27.find({"PYENV_ROOT": str(tmp_path), "PATH": ""}) == Path("/seventeen")


def test_pyenv_says_where_its_versions_are(tmp_path):
    fake_python27(tmp_path / "base/versions/2.7.18/bin/python2.7", "/said/by/pyenv")
    fake_python27(tmp_path / "bin/pyenv", tmp_path / "base")
    assert python27.find({"PATH": str(tmp_path / "bin")}) == Path("/said/by/pyenv")


def test_path_comes_last(tmp_path):
    fake_python27(tmp_path / "bin/python2.7", "/on/path")
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    assert python27.find(environ) == Path("/on/path")


def test_none_says_how_to_get_one(tmp_path):
    fake_python27(tmp_path / "bin/python2.7", None)
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    with pytest.raises(CannotRunHereError, match="PYTHON27="):
        python27.find(environ)
