"""Finds CPython 2.7, the only Python on which Autobahn|Testsuite runs.

It only looks; nothing is installed. Every candidate is really started, because pyenv puts commands
on PATH for versions that are not switched on, and those only print an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.cases import natural
from conformance.failure import CannotRunHereError, ConformanceError

HOW_TO_GET_IT = (
    "install one, for example with `pyenv install 2.7.18`, or say where it is: "
    "PYTHON27=/path/to/python2.7"
)

# pip downloads with ssl, so a build without it cannot be furnished. The executable is asked for
# because a shim on PATH is not the interpreter.
PROBE = """
import platform, ssl, sys, zlib
if sys.version_info[:2] != (2, 7) or platform.python_implementation() != "CPython":
    sys.exit("%s %s" % (platform.python_implementation(), platform.python_version()))
print(sys.executable)
"""


def find(environ: Mapping[str, str]) -> Path:
    """Return the one that $PYTHON27 names, else the newest under pyenv, else the one on PATH."""
    chosen = environ.get("PYTHON27")
    if chosen:
        path, complaint = _probe(chosen)
        if path is None:
            raise ConformanceError(f"PYTHON27={chosen} is not a usable CPython 2.7: {complaint}")
        return path
    for candidate in _candidates(environ):
        path, _complaint = _probe(candidate)
        if path is not None:
            return path
    raise CannotRunHereError(f"no CPython 2.7 under pyenv or on PATH; {HOW_TO_GET_IT}")


def _candidates(environ: Mapping[str, str]) -> Iterator[str]:
    for root in _pyenv_roots(environ):
        versions = [path for path in root.glob("versions/2.7.*") if path.name[4:].isdigit()]
        for version in sorted(versions, key=lambda path: natural(path.name), reverse=True):
            yield str(version / "bin" / "python2.7")
    on_path = shutil.which("python2.7", path=environ.get("PATH", os.defpath))
    if on_path:
        yield on_path


def _pyenv_roots(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("PYENV_ROOT"):
        yield Path(environ["PYENV_ROOT"])
    pyenv = shutil.which("pyenv", path=environ.get("PATH", os.defpath))
    if pyenv:
        answer = subprocess.run(
            [pyenv, "root"], capture_output=True, text=True, check=False, timeout=30
        )
        if answer.returncode == 0 and answer.stdout.strip():
            yield Path(answer.stdout.strip())
    if environ.get("HOME"):
        yield Path(environ["HOME"]) / ".pyenv"


def _probe(candidate: str) -> tuple[Path | None, str]:
    """Return the real interpreter behind the candidate, or None and what is wrong with it."""
    try:
        answer = subprocess.run(
            [candidate, "-c", PROBE], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if answer.returncode != 0:
        complaint = answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"]
        return None, complaint[-1]
    return Path(answer.stdout.strip()), ""
