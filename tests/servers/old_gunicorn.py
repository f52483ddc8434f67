"""gunicorn 23, the last release with the old reader, beside the one that is installed.

Of gunicorn's own code only; it is the same for every Python.
"""

import contextlib
import functools
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

_RELEASE = "gunicorn==23.0.0"
FOLDER = pathlib.Path(__file__).parents[2] / ".cache" / _RELEASE.replace("==", "-")


def require() -> None:
    """Install it on first use; without it a test is skipped, or fails where none may be skipped."""
    reason = _reason_against()
    if reason and os.environ.get("WS4PY_REQUIRE_ALL") == "1":
        pytest.fail(f"WS4PY_REQUIRE_ALL=1, but {reason}")
    if reason:
        pytest.skip(reason)


@functools.cache
def _reason_against() -> str:
    if FOLDER.exists():
        return ""
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as folder:
        made = pathlib.Path(folder) / "made"
        command = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install")
        options = ("--quiet", "--no-deps", "--no-compile", "--target", str(made))
        done = subprocess.run(
            [*command, *options, _RELEASE], capture_output=True, text=True, check=False
        )
        if done.returncode:
            return f"pip could not install {_RELEASE}: {done.stderr.strip()[-300:]}"
        # Of several processes that install it at once the first to get here wins.
        with contextlib.suppress(OSError):
            made.rename(FOLDER)
    return "" if FOLDER.exists() else f"{FOLDER} could not be made"
