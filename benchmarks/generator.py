"""The load generator, held on a lead: it goes on only when it is told to.

So the server's clock is read with all connections open and warm, and again when the last reply is
back; neither connecting nor closing is in the figures.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import cores
from benchmarks.failure import MeasurementError
from benchmarks.scenarios import Scenario

Report = dict[str, Any]


class Generator:
    """A load generator that has been started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def expect(self, event: str) -> Report:
        """Return its next report, which must be this one. Its own time limit bounds the wait."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MeasurementError(f"the load generator ended with {self._process.wait()}")
        report: Report = json.loads(line)
        if report["event"] != event:
            raise MeasurementError(str(report.get("error", report)))
        return report

    def go_on(self) -> None:
        """Let it begin its next phase."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            # It has failed; its last line says why.
            self.expect("")


@contextmanager
def started(
    program: Path, scenario: Scenario, port: int, core: int, options: list[str]
) -> Iterator[Generator]:
    """Start it against a server; it is gone at the end."""
    command = [str(program), *scenario.arguments(), "--controlled", "--port", str(port), *options]
    with cores.on(core):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
    with process:
        try:
            yield Generator(process)
        finally:
            process.kill()
