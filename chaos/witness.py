"""The witnesses: twenty well-behaved clients and two HTTP requests a second, whatever else happens.

They run as a program of their own (``python -m chaos.witness PORT``), so that nothing the suite
does holds them up, until a line comes on their input; then they say how they fared.
"""

from __future__ import annotations

import heapq
import json
import select
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import cores
from chaos.failure import ChaosError
from chaos.wire import BINARY, CLOSE, PING, PONG, TEXT, Client, frame

CLIENTS = 20
PER_SECOND = 5.0
HTTP_PER_SECOND = 2.0
SIZE = 32
#: An answer that has not come after this long is an error.
LATE = 10.0
_PAGE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Testimony(NamedTuple):
    """How the witnesses fared; times in milliseconds."""

    echoes: int
    p50: float
    p99: float
    worst: float
    pages: int
    http_p99: float
    errors: list[str]
    http_errors: list[str]


class Witness:
    """The witnesses, at work in their own process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def testify(self) -> Testimony:
        """Have them stop, and return how they fared."""
        said, _ = self._process.communicate("\n", timeout=LATE * 3)
        if not said.strip():
            raise ChaosError(f"the witnesses ended with {self._process.returncode}")
        return Testimony(**json.loads(said.splitlines()[-1]))


@contextmanager
def watching(port: int, core: int, authority: Path | None = None) -> Iterator[Witness]:
    """Have witnesses at work; they are connected when this begins.

    :param authority: of a TLS server's certificate, as a file.
    """
    command = [sys.executable, "-m", "chaos.witness", str(port)]
    if authority is not None:
        command.append(str(authority))
    with cores.on(core):
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parent.parent,
        )
    with process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise ChaosError("the witnesses did not get in")
            yield Witness(process)
        finally:
            process.kill()


class _Round:
    """All the witnesses in one thread, each due at its own time."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._port = port
        self._tls = tls
        self._poller = select.poll()
        self._clients: dict[int, Client] = {}
        self._sent: dict[int, float] = {}
        self._due: list[tuple[float, int]] = []
        self.echoes: list[float] = []
        self.errors: list[str] = []

    def begin(self) -> None:
        """Connect everybody."""
        start = time.monotonic()
        for number in range(CLIENTS):
            client = Client(self._port, self._tls)
            if client.upgrade("/ws") != 101:
                raise SystemExit("a witness was refused")
            client.sock.settimeout(LATE)
            fd = client.sock.fileno()
            self._clients[fd] = client
            self._poller.register(fd, select.POLLIN)
            heapq.heappush(self._due, (start + number / CLIENTS / PER_SECOND, fd))

    def run(self) -> None:
        """Go on until a line comes on standard input, and what is asked has been answered."""
        self._poller.register(sys.stdin, select.POLLIN)
        while not self._step():
            continue
        self._poller.unregister(sys.stdin)
        self._due.clear()
        end = time.monotonic() + LATE
        while self._sent and time.monotonic() < end:
            self._step()
        self.errors += ["an echo never came"] * len(self._sent)

    def _step(self) -> bool:
        pause = self._due[0][0] - time.monotonic() if self._due else 0.1
        for fd, _ in self._poller.poll(max(0.0, pause) * 1000):
            if fd == sys.stdin.fileno():
                return True
            if fd in self._clients:
                self._take(fd)
        self._send_due()
        return False

    def _send_due(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, fd = heapq.heappop(self._due)
            heapq.heappush(self._due, (max(due + 1 / PER_SECOND, now - 1.0), fd))
            if fd in self._clients and fd not in self._sent:
                # Counted from when it was due: who waits for an answer is late with the next.
                self._sent[fd] = max(due, now - 0.05)
                if not self._clients[fd].send(frame(TEXT, b"w" * SIZE)):
                    self._lost(fd, "sending failed")

    def _take(self, fd: int) -> None:
        client = self._clients[fd]
        if not client.more():
            self._lost(fd, "the connection ended")
            return
        while fd in self._clients and client.buffer:
            size = len(client.buffer)
            if size < 2 or size < 2 + (client.buffer[1] & 0x7F):
                return
            received = client.next_frame()
            assert received is not None
            if received.opcode == PING:
                client.send(frame(PONG, received.payload))
            elif received.opcode == CLOSE:
                self._lost(fd, f"closed with {received.code}")
            elif received.opcode == TEXT and received.payload == b"w" * SIZE and fd in self._sent:
                self.echoes.append(time.monotonic() - self._sent.pop(fd))
            elif received.opcode not in (PONG, BINARY):  # a broadcast is for others
                self._lost(fd, f"got {received!r:.60}")

    def _lost(self, fd: int, why: str) -> None:
        self.errors.append(why)
        self._poller.unregister(fd)
        self._sent.pop(fd, None)
        self._clients.pop(fd).reset()

    def end(self) -> None:
        """Leave."""
        for client in self._clients.values():
            client.reset()


class _Reader(threading.Thread):
    """Asks for a page twice a second; a thread of its own, since connecting may take long."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._tls = tls
        self._over = threading.Event()
        self.pages: list[float] = []
        self.errors: list[str] = []

    def run(self) -> None:
        """Go on until it is over."""
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += 1 / HTTP_PER_SECOND
            began = time.monotonic()
            try:
                with Client(self._port, self._tls) as client:
                    client.sock.settimeout(LATE)
                    client.send(_PAGE)
                    status, _ = client.head()
            except (OSError, ChaosError) as error:
                self.errors.append(f"no page: {error}")
                continue
            if status == 200:
                self.pages.append(time.monotonic() - began)
            else:
                self.errors.append(f"no page: status {status}")

    def end(self) -> None:
        """Stop, behind the answer that is awaited."""
        self._over.set()
        self.join(2 * LATE)


def _milliseconds(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return (
        round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3, 2) if values else 0.0
    )


def _some(errors: list[str]) -> list[str]:
    return errors if len(errors) < 6 else [*errors[:5], f"{len(errors)} errors in all"]


def main() -> None:
    """Witness until told to say how it was."""
    port, *authority = sys.argv[1:]
    tls = ssl.create_default_context(cafile=authority[0]) if authority else None
    witnesses, reader = _Round(int(port), tls), _Reader(int(port), tls)
    witnesses.begin()
    reader.start()
    print("ready", flush=True)
    witnesses.run()
    reader.end()
    said: dict[str, Any] = Testimony(
        echoes=len(witnesses.echoes),
        p50=_milliseconds(witnesses.echoes, 0.5),
        p99=_milliseconds(witnesses.echoes, 0.99),
        worst=_milliseconds(witnesses.echoes, 1.0),
        pages=len(reader.pages),
        http_p99=_milliseconds(reader.pages, 0.99),
        errors=_some(witnesses.errors),
        http_errors=_some(reader.errors),
    )._asdict()
    print(json.dumps(said), flush=True)
    witnesses.end()


if __name__ == "__main__":
    main()
