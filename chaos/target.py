"""The server under test, in a process and on a core of its own.

What can be seen from outside (memory, descriptors, threads, CPU) is read from /proc; what only the
program knows (who is connected, how callbacks were called) it says when asked, over a pipe.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cores, usage
from chaos.failure import CannotRunHereError, ChaosError
from chaos.settings import Settings

HERE = Path(__file__).resolve().parent
SERVERS = ("cherrypy", "gevent")
START_SECONDS = 30.0
ANSWER_SECONDS = 30.0
STOP_SECONDS = 20.0
#: The kernel's word for: forget the peak of the resident memory.
_FORGET_PEAK = "5"

#: glibc otherwise keeps large blocks that were freed, and what is freed could not be told from what
#: is kept. A block above 128 KiB goes back to the kernel at once, and so does the end of the heap.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}

State = dict[str, Any]


class Wanted(NamedTuple):
    """How a row wants the server.

    :param manager: settings of the manager (or pool), such as ``workers``.
    :param origins: which pages may connect.
    :param nofile: how many descriptors the process may have, 0 for as many as this one.
    :param tls: a folder with ``server.pem`` and ``server.key``.
    """

    settings: Settings = Settings()
    manager: dict[str, Any] = {}  # noqa: RUF012 - a tuple's default, and nobody changes it
    nofile: int = 0
    tls: Path | None = None


class Target:
    """A server that accepts connections."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.log = log
        self.port = 0
        self._pending = b""

    # -- From outside ------------------------------------------------------------

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def threads(self) -> int:
        """Return how many threads it has."""
        return int(self._status("Threads"))

    def rss(self) -> int:
        """Return the bytes of memory that it holds."""
        return int(self._status("VmRSS")) * usage.KIB

    def peak(self) -> int:
        """Return the most that it held since :meth:`forget_peak`."""
        return int(self._status("VmHWM")) * usage.KIB

    def forget_peak(self) -> None:
        """Begin anew with the peak."""
        try:
            Path(f"/proc/{self.pid}/clear_refs").write_text(_FORGET_PEAK, encoding="ascii")
        except OSError as error:
            raise CannotRunHereError(f"the peak of the memory cannot be reset: {error}") from error

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used."""
        return usage.cpu([self.pid]).total

    def _status(self, name: str) -> str:
        try:
            text = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        except OSError as error:
            raise ChaosError(f"the server has ended: {self.last_words()}") from error
        for line in text.splitlines():
            if line.startswith(f"{name}:"):
                return line.split()[1]
        raise ChaosError(f"the server has ended: {self.last_words()}")

    def tracebacks(self) -> list[str]:
        """Return the last line of each traceback that it has logged."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        found = []
        for at, line in enumerate(lines):
            if line.lstrip("[0123456789/:. ]").startswith("Traceback (most recent call last)"):
                rest = (each for each in lines[at + 1 :] if each and not each.startswith(" "))
                found.append(next(rest, "(cut off)"))
        return found

    def unraisable(self) -> int:
        """Return how many exceptions were raised where nobody could catch them."""
        return self.log.read_text(encoding="utf-8", errors="replace").count("Exception ignored ")

    def last_words(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-5:])

    # -- From inside -------------------------------------------------------------

    def ask(self, what: str, patience: float = ANSWER_SECONDS, **arguments: Any) -> State:
        """Have the program do something, and return what it says to that."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        self.process.stdin.flush()
        answer: State = json.loads(self.line(patience))
        if "error" in answer:
            raise ChaosError(f"the server, asked for {what!r}: {answer['error']}")
        return answer

    def state(self) -> State:
        """Return who is connected, and how often callbacks were called."""
        return self.ask("state")

    def until(self, what: Callable[[State], bool], seconds: float) -> float | None:
        """Wait for a state; return after how many seconds it came, ``None`` if it did not."""
        begin = time.monotonic()
        while not what(self.state()):
            if time.monotonic() - begin > seconds:
                return None
            time.sleep(0.02)
        return time.monotonic() - begin

    def line(self, patience: float) -> bytes:
        """Return the next line of its output."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + patience
        while b"\n" not in self._pending:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(descriptor, 65536) if ready else b""
            if not chunk:
                why = "has ended" if ready else f"said nothing for {patience:.0f} s"
                raise ChaosError(f"the server {why}: {self.last_words()}")
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def terminate(self, seconds: float = STOP_SECONDS) -> tuple[int | None, float]:
        """Ask it to end; return its status, ``None`` if it did not end, and the seconds."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = self.process.wait(seconds)
        return status, time.monotonic() - begin


@contextmanager
def running(server: str, wanted: Wanted, core: int, log: Path) -> Iterator[Target]:
    """Start a server; it is gone at the end."""
    words = [sys.executable, str(HERE / "servers" / f"{server}_server.py")]
    words += ["--settings", json.dumps(wanted.settings._asdict())]
    words += ["--manager", json.dumps(wanted.manager), "--port", str(_free_port())]
    if wanted.tls is not None:
        words += ["--tls", str(wanted.tls)]
    with log.open("ab") as stderr, cores.on(core):
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=_environment()
        )
    if wanted.nofile:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (wanted.nofile, hard))
    target = Target(process, log)
    with process:
        try:
            target.port = json.loads(target.line(START_SECONDS))["port"]
            yield target
        finally:
            process.kill()


def _free_port() -> int:
    """Return a port for a server that is to have it again when it is started again."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    root = str(HERE.parent)
    path = [str(Path(root) / "src"), root, os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(each for each in path if each),
        "PYTHONDONTWRITEBYTECODE": "1",
        **_ALLOCATOR,
    }
