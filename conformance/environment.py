"""Makes the Python 2.7 environment of Autobahn|Testsuite, once for each set of pinned versions.

Everything lands in one cache folder of the checkout and nothing outside it is written. A stamp
tells what the environment was made from; when nothing of that changed, no package index is asked.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.failure import ConformanceError, end_of

HERE = Path(__file__).resolve().parent
BOOTSTRAP = HERE / "requirements-bootstrap.txt"
PINNED = HERE / "requirements-py27.txt"
SPEED = HERE / "requirements-py27-speed.txt"

# A slow index, and the compiler on a busy machine.
STEP_SECONDS = 900


def prepare(cache: Path, python27: Path) -> Path:
    """Return the environment's interpreter; the environment is made when it is not up to date."""
    cache.mkdir(parents=True, exist_ok=True)
    suite = cache / "suite"
    stamp = suite / "stamp"
    wanted = _fingerprint(suite, python27)
    with _locked(cache / "lock"):
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            print(f"conformance: setting up the suite on {python27}", flush=True)
            _make(cache, suite, python27)
            stamp.write_text(wanted, encoding="utf-8")
    return suite / "bin" / "python"


def own_modules_only() -> dict[str, str]:
    """Return the variables without those that point Python at another one's modules."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def _fingerprint(suite: Path, python27: Path) -> str:
    """Sum up what the environment depends on; its place too, for environments cannot be moved."""
    digest = hashlib.sha256(f"{suite} {python27}".encode())
    for file in (Path(__file__), BOOTSTRAP, PINNED, SPEED):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _make(cache: Path, suite: Path, python27: Path) -> None:
    bootstrap = cache / "bootstrap"
    for left_over in (bootstrap, suite):
        shutil.rmtree(left_over, ignore_errors=True)
    log = cache / "setup.log"
    log.write_text("", encoding="utf-8")
    _step(log, [sys.executable, "-m", "venv", str(bootstrap)])
    helper = str(bootstrap / "bin" / "python")
    _step(log, _pip_install(helper, BOOTSTRAP))
    # Its wheels of pip and setuptools for 2.7 come with this virtualenv, so 2.7 need not have pip.
    environment = [helper, "-m", "virtualenv", "--app-data", str(cache / "app-data")]
    _step(log, [*environment, "--no-download", "--python", str(python27), str(suite)])
    suite_python = str(suite / "bin" / "python")
    _step(log, _pip_install(suite_python, PINNED))
    _speed_up(log, suite_python)


def _pip_install(python: str, requirements: Path) -> list[str]:
    # Without build isolation, releases that come as source are built with the tools that came with
    # the environment, instead of with whatever is the newest on that day.
    options = ["--disable-pip-version-check", "--no-input", "--no-deps", "--no-build-isolation"]
    pip = [python, "-m", "pip", "install", *options, "--no-warn-script-location"]
    return [*pip, "--requirement", str(requirements)]


def _speed_up(log: Path, python: str) -> None:
    """Compile the accelerator when this machine can; the verdicts are the same without it."""
    reason = _no_compiler(python)
    if reason is None:
        try:
            _step(log, _pip_install(python, SPEED))
        except ConformanceError:
            reason = f"it could not be compiled, see {log}"
    if reason is not None:
        print(f"conformance: the suite runs without its accelerator, slower: {reason}", flush=True)


def _no_compiler(python: str) -> str | None:
    """Say what is missing for compiling an extension of Python 2.7, or None."""
    if not any(map(shutil.which, ("gcc", "cc"))):
        return "no C compiler (gcc)"
    ask = "from distutils import sysconfig; print(sysconfig.get_python_inc())"
    answer = subprocess.run(
        [python, "-c", ask], capture_output=True, text=True, check=False, timeout=60
    )
    header = Path(answer.stdout.strip()) / "Python.h"
    return None if header.exists() else f"no headers of Python 2.7 ({header})"


def _step(log: Path, command: list[str]) -> None:
    """Run one command of the set-up, with the log's end in the complaint when it fails."""
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=own_modules_only(),
                timeout=STEP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ConformanceError(
                f"setting up the suite took more than {STEP_SECONDS} s at one step, see {log}"
            ) from error
    if done.returncode != 0:
        raise ConformanceError(
            f"the suite could not be set up; it needs PyPI, or the wheels named in {PINNED.name}, "
            f"for Python 2.7. The end of {log}:\n{end_of(log, 20)}"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two runs at once must not make the same environment."""
    with path.open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
