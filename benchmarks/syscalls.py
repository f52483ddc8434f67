"""Counts a server's system calls, with strace, for the time of one phase.

Under strace every system call is many times slower, so that more messages are waiting at each: the
counts are those of a server under that load. They are taken in a pass of their own and no other
figure comes from it.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import commands, cores
from benchmarks.failure import MeasurementError, UnavailableError

ROOT = Path(__file__).resolve().parent.parent
ATTACH_SECONDS = 30

Counts = dict[str, int]


def available(cache: Path) -> None:
    """Make sure that there is a strace: installed when that needs nobody's password."""
    if shutil.which("strace") is None:
        script = str(ROOT / "tools" / "apt_install.sh")
        log = cache / "strace.log"
        commands.step(log, [script, "counting system calls", "strace"], ROOT)


def parse(table: str) -> Counts:
    """Read what `strace -c` wrote: calls is the fourth column, the name the last."""
    counts: Counts = {}
    for line in table.splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = counts.get(words[-1], 0) + int(words[3])
    return counts


@contextmanager
def counted(pids: list[int], core: int, output: Path) -> Iterator[Counts]:
    """Count while what is inside runs; the counts are there at its end."""
    output.unlink(missing_ok=True)
    attach = [word for pid in pids for word in ("-p", str(pid))]
    command = ["strace", "-f", "-c", "-o", str(output), *attach]
    counts: Counts = {}
    with cores.on(core):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        try:
            _await_attached(process, len(pids))
            yield counts
        finally:
            # strace writes its table when it is interrupted, and lets go of the server.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(ATTACH_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    if not output.exists():
        raise UnavailableError("strace wrote no table")
    counts.update(parse(output.read_text(encoding="utf-8")))


def _await_attached(process: subprocess.Popen[bytes], wanted: int) -> None:
    assert process.stderr is not None
    descriptor = process.stderr.fileno()
    said = b""
    deadline = time.monotonic() + ATTACH_SECONDS
    while said.count(b" attached") < wanted:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 4096) if ready else b""
        if not chunk:
            raise MeasurementError(f"strace could not attach: {said.decode(errors='replace')}")
        said += chunk
