"""Section E, third part: what TLS adds: buffered records, keys that change, peers that stall."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chaos.arena import Arena
from chaos.failure import CannotRunHereError
from chaos.row import row
from chaos.settings import KIB
from chaos.storm import Plan, pause
from chaos.wire import BINARY, CLOSE, TEXT, Client, frame, request

_RECORD = 16 * KIB
_HANDSHAKES = "cheroot shakes hands in its worker threads, with socket_timeout for each read"
_KEY_UPDATES = 200


#: How long openssl's client may take for one thing, in seconds.
_SOON = 10.0


class _Console:
    """openssl's own client, which obeys letters at the begin of a line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.said = b""

    def say(self, line: bytes, awaited: bytes, times: int = 1) -> bool:
        """Write something, and wait until it has said this so many times."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line)
        deadline = time.monotonic() + _SOON
        while self.said.count(awaited) < times:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._process.stdout], [], [], left)
            chunk = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                return False
            self.said += chunk
        return True


@contextmanager
def _openssl(arena: Arena, version: str) -> Iterator[_Console]:
    """Have openssl's client connected, and upgraded to a websocket."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise CannotRunHereError("the command openssl is missing")
    command = [openssl, "s_client", version, "-connect", f"127.0.0.1:{arena.target.port}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    )
    with process:
        try:
            console = _Console(process)
            arena.holds(f"{version}: connected", console.say(b"", b"Verify return code"))
            arena.holds(f"{version}: upgraded", console.say(request("/ws"), b"101 Switching"))
            yield console
        finally:
            process.kill()


@row(
    "E9",
    "TLS 1.2: the client asks for new keys; 1.3: it changes them 200 times",
    "refused without harm to others; all handled",
    tls=True,
    tracebacks=None,
)
def new_keys(arena: Arena) -> None:
    """Renegotiation is over, key updates are nobody's business."""
    with _openssl(arena, "-tls1_2") as old:
        arena.holds("1.2: asked", old.say(b"R\n", b"RENEGOTIATING"))
        pause(0.5)
    with _openssl(arena, "-tls1_3") as new:
        done = sum(new.say(b"k\n", b"KEYUPDATE", number + 1) for number in range(_KEY_UPDATES))
        arena.equal("1.3: key updates", done, _KEY_UPDATES)
        arena.holds("1.3: echoed behind them", new.say(frame(TEXT, b"behind"), b"behind"))
    arena.holds("serves", arena.serves())


def _count(client: Client, number: int) -> int:
    for seen in range(number):
        received = client.next_message()
        if received is None or received.opcode == CLOSE:
            return seen
    return number


@row(
    "E10",
    "TLS: 100 frames in one record; a record that ends inside a frame; full records back to back",
    "all delivered, with no further byte from the peer",
    tls=True,
)
def pending(arena: Arena) -> None:
    """What TLS has decrypted already, no poller announces."""
    with arena.client() as client:
        began = time.monotonic()
        client.send(frame(TEXT, b"x" * 100) * 100)
        arena.equal("frames of one record", _count(client, 100), 100)
        arena.at_most("they took", (time.monotonic() - began) * 1e3, 100.0, "ms")
        half = frame(TEXT, b"y" * 100)
        client.send(half * 3 + half[:50])
        arena.equal("before the cut", _count(client, 3), 3)
        client.send(half[50:])
        arena.equal("behind the cut", _count(client, 1), 1)
        body = b"z" * (_RECORD - 8)
        client.send(frame(BINARY, body) * 64)
        arena.equal("full records", _count(client, 64), 64)


@row(
    "E11",
    "TLS: plain HTTP; 200 handshakes that stall; no close_notify; an echo that is not read",
    "closed at open_timeout; 1006; no spin. CherryPy: its websockets do not notice",
    tls=True,
    tracebacks=None,
    no_http_on={"cherrypy": _HANDSHAKES},
)
def bad_tls(arena: Arena) -> None:
    """Peers that are bad at TLS."""
    with Client(arena.target.port) as plain:
        plain.send(request("/ws"))
        arena.holds("plain HTTP is not upgraded", plain.head()[0] != 101)
    unread = arena.client()
    unread.send(frame(TEXT, b"u" * 60_000) * 4)
    before = arena.target.state()["closed"].get("1006", 0)
    with arena.client() as silent:
        silent.send(frame(TEXT, b"x"))
        silent.next_message()
        # Leaving resets the connection beneath TLS, which says nothing to that.
    hello = bytes.fromhex("160301020001000001fc0303") + b"\x11" * 40
    with arena.storm(Plan(raw=True, once=hello), 200) as storm:
        storm.open(200)
        storm.attack()
        cpu = arena.target.cpu()
        ours = arena.server != "cherrypy"
        seen = storm.wait(arena.settings.open_timeout + 3.0 if ours else 3.0)
        arena.at_most("CPU", (arena.target.cpu() - cpu) / 3.0 * 100, 30.0, "%")
        if ours:
            arena.equal("stalled handshakes left", seen["alive"], 0)
        arena.note(left=seen["alive"])
        storm.say("reset")
    unread.reset()
    lost = arena.target.until(lambda state: state["closed"].get("1006", 0) > before, 5.0)
    arena.holds("without close_notify: 1006", lost is not None)
