"""The servers that can be tested, and the life of one of them during a run.

Each is a program of its own under servers/: it is started as `PROGRAM --log FILE`, serves an echo
at /ws on a free port of 127.0.0.1, prints that port as its only line of output once it accepts
connections, and ends at SIGTERM. A server is added by one line in SERVERS, its program, and its
file of expected verdicts.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.failure import ConformanceError, end_of

HERE = Path(__file__).resolve().parent

# The command, without its --log; the interpreter is the one that runs this.
SERVERS: dict[str, tuple[str, ...]] = {
    name: (sys.executable, str(HERE / "servers" / f"{name}_server.py"))
    for name in ("cherrypy", "gevent", "gunicorn", "wsgiref")
}

START_SECONDS = 60
STOP_SECONDS = 60


@contextmanager
def running(command: tuple[str, ...], logs: Path) -> Iterator[str]:
    """Start the server, hand out the address of its echo, and see it end as it should."""
    errors = logs / "server.stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--log", str(logs / "server.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    try:
        yield f"ws://127.0.0.1:{_port(process, errors)}/ws"
        _stop(process, errors)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _port(process: subprocess.Popen[bytes], errors: Path) -> int:
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    line = b""
    deadline = time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 100) if ready else b""
        if not chunk:
            why = "ended" if ready else f"was silent for {START_SECONDS} s"
            raise ConformanceError(f"the server {why}, and named no port:\n{end_of(errors, 20)}")
        line += chunk
    if not line.strip().isdigit():
        raise ConformanceError(f"the server printed {line!r}, which is no port")
    return int(line)


def _stop(process: subprocess.Popen[bytes], errors: Path) -> None:
    """End the server; one that died before, or outlives SIGTERM, is a failure of the run."""
    if process.poll() is not None:
        raise ConformanceError(
            f"the server ended before the suite, status {process.returncode}:\n{end_of(errors, 20)}"
        )
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ConformanceError(
            f"the server still ran {STOP_SECONDS} s after SIGTERM:\n{end_of(errors, 20)}"
        ) from error
