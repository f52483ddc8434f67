"""What a run consists of: processes, each of which says in its last line what it has done."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.crashes import again
from fuzz.inputs import found_folder
from fuzz.kernel.shim import UnavailableError, library
from fuzz.places import CACHE, CORPUS, CRASHES, ROOT
from fuzz.targets import load

__all__ = ["BUILDS", "Job", "by_atheris", "by_hypothesis", "differential", "kernel", "machine"]

BUILDS = ("compiled", "pure")

#: Above what a job needs beside its time; it only ends one that hangs.
_PATIENCE = 600.0
_SHOWN_LINES = 40


@dataclass(frozen=True)
class Job:
    """A process of a run.

    :param name: what a person reads.
    :param command: what is run, in the checkout.
    :param again: arguments that run it again; with ``{seed}`` for the seed that it named last.
    :param variables: what is added to the environment.
    """

    name: str
    command: tuple[str, ...]
    again: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def run(self) -> bool:
        """Run it, print what it found, and return whether that is nothing."""
        began = time.monotonic()
        # The checkout's own ws4py, also in an environment that has none.
        variables = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        variables.pop("LD_PRELOAD", None)
        try:
            done = subprocess.run(
                self.command,
                cwd=ROOT,
                env={**variables, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self.seconds + _PATIENCE,
                check=False,
            )
            output, status = done.stdout.decode(errors="replace"), done.returncode
        except subprocess.TimeoutExpired as error:
            output, status = (error.stdout or b"").decode(errors="replace") + "\nit hangs", -1
        lines = output.strip().splitlines() or ["it said nothing"]
        took = f"{time.monotonic() - began:.0f} s"
        if not status:
            print(f"fuzz: {self.name}: nothing found, {took}: {self._summary(lines)}", flush=True)
            return True
        shown = "\n".join(line[:1000] for line in lines[-_SHOWN_LINES:])
        print(f"fuzz: {self.name}: FAILED after {took}\n{shown}", flush=True)
        print(f"fuzz: again: {self._again(lines)}", flush=True)
        return False

    def _summary(self, lines: list[str]) -> str:
        # libFuzzer's last lines are about a dictionary.
        return next((line for line in lines if line.startswith(("Done ", "stat::"))), lines[-1])

    def _again(self, lines: list[str]) -> str:
        seeds = [line.split()[1] for line in lines if line.startswith("seed ")]
        kept = [line for line in lines if "artifact" in line and "Test unit written to" in line]
        if kept:
            return again("--input", kept[-1].rpartition(" ")[2], self.again[0])
        return again(*(each.replace("{seed}", seeds[-1] if seeds else "0") for each in self.again))


def by_hypothesis(target: str, seconds: float, seed: int) -> Job:
    """Feed a target by hypothesis."""
    worker = (sys.executable, "-m", "fuzz.worker")
    return Job(
        f"{target} (hypothesis)",
        (*worker, "bytes", target, str(seconds), str(seed)),
        ("--engine", "hypothesis", "--seed", str(seed), target),
        seconds=seconds,
    )


def by_atheris(target: str, seconds: float, python: Path) -> Job:
    """Feed a target by atheris."""
    crashes = CRASHES / target
    crashes.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={int(seconds)}",
        f"-artifact_prefix={crashes.relative_to(ROOT)}/",
        f"-dict={_dictionary(target)}",
        # Without the line for each new input, with the figures at the end.
        "-verbosity=0",
        "-print_final_stats=1",
        "-timeout=20",
        # What a peer can send is longer; what there is to reach is reached by less.
        "-max_len=20000",
    ]
    # What is new goes to the first folder.
    folders = [str(found_folder(target)), str(CORPUS / target)]
    return Job(
        f"{target} (atheris)",
        (str(python), "-m", "fuzz.by_atheris", target, *options, *folders),
        (target,),
        seconds=seconds,
    )


def _dictionary(target: str) -> Path:
    """Write a target's words as libFuzzer takes them."""
    path = CACHE / f"{target}.dict"
    quoted = ("".join(f"\\x{octet:02x}" for octet in word) for word in load(target).WORDS)
    path.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    return path


def differential(first: int, count: int) -> Job:
    """Compare with other implementations."""
    return Job(
        "differential",
        (sys.executable, "-m", "fuzz.worker", "differential", str(first), str(count)),
        ("--seed", "{seed}", "differential"),
    )


def machine(examples: int) -> Job:
    """Run the state machines of the tests for longer than the tests do."""
    tests = ("test_connection_machine.py", "test_session_machine.py")
    paths = [f"tests/protocol/{name}" for name in tests]
    return Job(
        "machine",
        (sys.executable, "-m", "pytest", "-q", "--timeout=0", "-p", "no:cacheprovider", *paths),
        ("machine",),
        {"WS4PY_MACHINE_EXAMPLES": str(examples)},
    )


def kernel(build: str, first: int, count: int) -> Job:
    """Run the engine on the kernel with bad days.

    :raises UnavailableError: that is not possible here.
    """
    if not sys.platform.startswith("linux"):
        raise UnavailableError("calls of the kernel can be wrapped on Linux only")
    variables = {"LD_PRELOAD": str(library()), "WS4PY_PURE_PYTHON": "1" if build == "pure" else ""}
    return Job(
        f"kernel ({build})",
        (sys.executable, "-m", "fuzz.kernel.child", build, str(first), str(count)),
        ("--seed", "{seed}", "--build", build, "kernel"),
        variables,
    )
