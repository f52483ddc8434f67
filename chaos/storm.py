"""The storm, commanded from here: many peers in a C process of their own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cores
from chaos.failure import ChaosError

Report = dict[str, Any]

#: What the repeated bytes are made of at least, so that one system call sends many frames.
_CHUNK = 64 * 1024
#: How much less urgent a storm is than everything else.
_NICER = 5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every peer of a storm does.

    :param once: bytes that are sent first.
    :param again: bytes that are sent behind them, ``times`` times, 0 for ever.
    :param piece: with a rate: how many bytes are sent at a time.
    :param rate: pieces a second, 0 for wire speed.
    :param after: what a peer does when all is sent: stay, reset, close, half-close.
    :param raw: no upgrade; the bytes are all that is said.
    :param deaf: reads nothing once it is open.
    :param mute: answers neither pings nor close frames.
    :param stamped: messages begin with a number and a time, which are checked.
    :param retry: who does not get in tries again.
    """

    path: str = "/ws"
    once: bytes = b""
    again: bytes = b""
    times: int = 0
    piece: int = 1
    rate: float = 0.0
    after: str = "stay"
    extra: str = ""
    raw: bool = False
    deaf: bool = False
    mute: bool = False
    stamped: bool = False
    retry: bool = False
    parallel: int = 64


#: More than any soak takes; a storm ends with its row, this is for one that nobody ends.
_LIMIT_SECONDS = 4 * 3600


class Storm:
    """A storm that has been started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def command(self, words: str, patience: float) -> Report:
        """Give a command and return the report at its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its last line says why
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        if not ready:
            raise ChaosError(f"the storm did not end {words!r} within {patience} s")
        line = self.process.stdout.readline()
        report: Report = json.loads(line) if line else {"event": "failed", "error": "it has ended"}
        if report["event"] == "failed":
            raise ChaosError(f"the storm: {report['error']}")
        return report

    def open(self, number: int, patience: float = 60.0) -> Report:
        """Open so many connections more."""
        return self.command(f"open {number}", patience)

    def begin(self, number: int) -> Report:
        """Begin to open so many more; whoever does not get in does not matter."""
        return self.command(f"begin {number}", 60.0)

    def attack(self) -> Report:
        """Let all begin."""
        return self.command("attack", 60.0)

    def finish(self, seconds: float) -> Report:
        """Wait until all have sent what they have to send."""
        return self.command(f"finish {seconds}", seconds + 30.0)

    def wait(self, seconds: float, left: int = 0) -> Report:
        """Wait until no more than ``left`` connections are left."""
        return self.command(f"wait {seconds} {left}", seconds + 30.0)

    def last(self, seconds: float) -> Report:
        """Go on for so long, whoever is left."""
        return self.wait(seconds, -1)

    def say(self, word: str, number: int = 0) -> Report:
        """``reset``, ``close``, ``stall``, or ``report``."""
        return self.command(f"{word} {number}", 60.0)


@contextmanager
def started(program: Path, plan: Plan, port: int, room: int, core: int) -> Iterator[Storm]:
    """Start a storm towards a port; it is gone at the end.

    :param room: how many connections it is to open at the most.
    """
    with tempfile.TemporaryDirectory(prefix="ws4py-chaos-") as folder:
        command = [str(program), *_arguments(plan, Path(folder)), "--port", str(port)]
        command += ["--room", str(room), "--limit", str(_LIMIT_SECONDS)]
        with cores.on(core):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        # The witnesses are on the same core, and come first. Who only has to answer is not delayed.
        if plan.again and not plan.rate:
            _give_way(process.pid)
        with process:
            try:
                yield Storm(process)
            finally:
                process.kill()


def _give_way(pid: int) -> None:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, pid, min(19, niceness + _NICER))


def _arguments(plan: Plan, folder: Path) -> list[str]:
    again, times = _gathered(plan)
    words = ["--path", plan.path, "--extra", plan.extra, "--after", plan.after]
    for name, data in (("once", plan.once), ("again", again)):
        if data:
            (folder / name).write_bytes(data)
            words += [f"--{name}", str(folder / name)]
    words += ["--times", str(times), "--piece", str(plan.piece), "--rate", str(plan.rate)]
    words += ["--parallel", str(plan.parallel)]
    for name in ("raw", "deaf", "mute", "stamped", "retry"):
        if getattr(plan, name):
            words.append(f"--{name}")
    return words


def _gathered(plan: Plan) -> tuple[bytes, int]:
    """Return the repeated bytes, and how often: at wire speed many frames go into one call."""
    most = max(1, _CHUNK // (len(plan.again) or 1))
    if plan.rate or not plan.again:
        return plan.again, plan.times
    if not plan.times:
        return plan.again * most, 0
    many = next(n for n in range(min(most, plan.times), 0, -1) if plan.times % n == 0)
    return plan.again * many, plan.times // many


def pause(seconds: float) -> None:
    """Let time pass for what only time brings about: an interval, a time-out."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(left)
