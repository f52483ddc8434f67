"""Gives atheris an environment of its own, where there is an atheris for this interpreter.

It is none of ws4py's development dependencies, since it comes for some versions of CPython and
kinds of machines only. That it cannot be had is remembered too, for a day, so that no run waits for
it again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from fuzz.places import CACHE

__all__ = ["PACKAGE", "atheris_python"]

PACKAGE = "atheris>=2.3"

_FOLDER = CACHE / "atheris"
_ASK_AGAIN = 24 * 3600.0


def atheris_python(folder: Path = _FOLDER) -> Path | None:
    """Return the interpreter that has atheris, or ``None``, and say why."""
    stamp = folder / "stamp.json"
    wanted = {"package": PACKAGE, "python": sys.version, "folder": str(folder)}
    known = json.loads(stamp.read_text(encoding="utf-8")) if stamp.exists() else {}
    fresh = known.get("missing") is None or time.time() - stamp.stat().st_mtime < _ASK_AGAIN
    if any(known.get(key) != value for key, value in wanted.items()) or not fresh:
        known = {**wanted, "missing": _install(folder)}
        stamp.write_text(json.dumps(known), encoding="utf-8")
    if known["missing"] is not None:
        print(f"fuzz: no atheris here, so hypothesis alone: {known['missing']}", flush=True)
        return None
    return folder / "bin" / "python"


def _install(folder: Path) -> str | None:
    """Make the environment; return why that is not possible."""
    print(f"fuzz: setting up {PACKAGE}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = str(folder / "bin" / "python")
    # No compiling: without a wheel it would want clang and take long.
    install = ["install", "--disable-pip-version-check", "--no-input", "--only-binary=:all:"]
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", *install, PACKAGE],
        [python, "-c", "import atheris"],
    )
    for command in commands:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it failed"]
            return next((line for line in said if "ERROR" in line), said[-1])
    return None
