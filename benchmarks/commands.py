"""Runs the commands of the set-up: compilers, pip, npm.

Their output goes to a log, and its end into the complaint. Nothing that is measured is run here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.failure import UnavailableError, end_of

# A slow index, and the compiler on a busy machine.
STEP_SECONDS = 900


def own_modules_only() -> dict[str, str]:
    """Return the variables without those that point Python at another one's modules."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def step(
    log: Path, command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> None:
    """Run one command; when it fails, the reason is the end of its output."""
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(command)}\n")
        output.flush()
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**own_modules_only(), **(variables or {})},
                timeout=STEP_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise UnavailableError(f"{' '.join(command[:4])} failed: {end_of(log, 3)}")


def output_of(command: Sequence[str], folder: Path) -> str:
    """Return what a command that only tells something printed."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=folder,
            env=own_modules_only(),
            timeout=STEP_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    return done.stdout.strip()
