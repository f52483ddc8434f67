"""The life of one server during one measurement."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import cores, usage
from benchmarks.environments import Prepared
from benchmarks.failure import MeasurementError, end_of
from benchmarks.scenarios import Scenario

START_SECONDS = 60
STOP_SECONDS = 5


class Server:
    """A server that accepts connections."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._process = process
        self._log = log

    def pids(self) -> list[int]:
        """Return its processes."""
        if self._process.poll() is not None:
            raise MeasurementError(f"the server has ended:\n{end_of(self._log, 5)}")
        return usage.tree(self._process.pid)

    def stop(self) -> None:
        """End all its processes, none of which is owed a long goodbye."""
        pids = usage.tree(self._process.pid) if self._process.poll() is None else []
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for pid in pids:
            # Workers that outlived their parent. An id that has become free meanwhile is not given
            # out again before the kernel has gone through all the others.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running(prepared: Prepared, scenario: Scenario, core: int, logs: Path) -> Iterator[Server]:
    """Start a peer's server on a core of its own, and end it."""
    peer = prepared.peer
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{peer.name}-{scenario.name}.log"
    # PYTHONDONTWRITEBYTECODE: the checkout stays as it was.
    variables = {**os.environ, **peer.variables, "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONDEVMODE"):
        variables.pop(name, None)
    with log.open("wb") as stderr, cores.on(core):
        process = subprocess.Popen(
            [*prepared.command, scenario.mode, *peer.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=prepared.folder,
            env=variables,
        )
    server = Server(process, 0, log)
    try:
        server.port = _port(process, log)
        try:
            yield server
        except MeasurementError as error:
            words = end_of(log, 1)
            raise MeasurementError(f"{error}; server: {words}" if words else str(error)) from error
    finally:
        server.stop()
        assert process.stdout is not None
        process.stdout.close()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    line = b""
    deadline = time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 100) if ready else b""
        if not chunk:
            why = "ended" if ready else f"was silent for {START_SECONDS} s"
            raise MeasurementError(f"the server {why}, and named no port:\n{end_of(log, 5)}")
        line += chunk
    if not line.strip().isdigit():
        raise MeasurementError(f"the server printed {line!r}, which is no port")
    return int(line)
