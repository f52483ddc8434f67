"""The other end of a connection: what it sends is numbered, what comes back is compared."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import struct

from fuzz.kernel.links import receive, send
from fuzz.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_payload,
    frame,
    take_frame,
)

__all__ = ["Peer", "message"]

_RESET = struct.pack("ii", 1, 0)
_SIZES = (0, 0, 1, 10, 100, 200, 240, 260, 1000, 1000, 4090, 8200, 20_000, 66_000, 300_000)
_CHUNK = 64 * 1024
#: How a peer ends: "close-and-go" begins the closing handshake and does not wait for it.
_ENDS = ("close", "close", "close", "close", "half-close", "reset", "close-and-go")


def message(kind: str, number: int, size: int) -> bytes:
    """Return the text of a numbered message; characters of two and four bytes are in it."""
    head = f"{kind}{number:06d}:"
    return (head + ("aé😀z" * (size // 8 + 1))[: size // 2]).encode()


class Peer:
    """A client: a script of messages, and what has come back so far.

    :param rng: its choices.
    :param number: which of the connections it is.
    """

    def __init__(self, sock: socket.socket, rng: random.Random, number: int) -> None:
        self.sock = sock
        self.number = number
        sock.setblocking(False)
        #: Messages that have to come back, in order.
        self.expected: list[tuple[int, bytes]] = []
        self.echoed = 0
        self._pings: list[bytes] = []
        self.ponged = 0
        #: What the server sent by itself, by kind, in order.
        self.pushed: dict[str, list[int]] = {"push": [], "cast": []}
        self.ending = rng.choice(_ENDS)
        self.close_code = 4000 + number
        self.answered: int | None = None
        self.finished = False
        self._out = bytearray(self._script(rng))
        self._in = bytearray()
        self._at = 0
        self._closing = False
        # A peer that reads only when it cannot write any more.
        self._lazy = rng.random() < 0.25

    def _script(self, rng: random.Random) -> bytes:
        parts = []
        for number in range(rng.choice((0, 1, 3, 10, 40, 80))):
            size = rng.choice(_SIZES)
            payload = message("echo", number, size)
            opcode = rng.choice((TEXT, BINARY))
            self.expected.append((opcode, payload))
            parts.append(self._frames(rng, opcode, payload))
            if rng.random() < 0.1:
                self._pings.append(b"ping%d" % number)
                parts.append(frame(PING, self._pings[-1], key=rng.randbytes(4)))
        return b"".join(parts)

    def _frames(self, rng: random.Random, opcode: int, payload: bytes) -> bytes:
        if rng.random() < 0.9 or len(payload) < 3:
            return frame(opcode, payload, key=rng.randbytes(4))
        border = rng.randrange(1, len(payload))
        first = frame(opcode, payload[:border], fin=False, key=rng.randbytes(4))
        return first + frame(CONTINUATION, payload[border:], key=rng.randbytes(4))

    def early(self, rng: random.Random) -> bytes:
        """Take away the beginning of the script: it came together with the handshake."""
        size = rng.choice((0, 1, 7, len(self._out)))
        taken = bytes(self._out[:size])
        del self._out[:size]
        return taken

    # -- Serving ---------------------------------------------------------------

    def interest(self) -> int:
        """What to wait for."""
        if self._lazy and self._out:
            return select.POLLOUT
        return select.POLLIN | (select.POLLOUT if self._out else 0)

    def serve(self, events: int) -> None:
        """Write and read what is possible."""
        try:
            if events & select.POLLOUT:
                self._write()
            elif self._lazy and self._out:
                # The server does not read on before somebody reads from it.
                self._lazy = False
            if events & ~select.POLLOUT or (self._lazy and not self._out):
                self._read()
        except (BrokenPipeError, ConnectionResetError):
            self._finish()

    def wake(self) -> None:
        """It has waited long enough for its turn to write."""
        self._lazy = False

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._out:
                del self._out[: send(self.sock, bytes(self._out[:_CHUNK]))]

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while not self.finished:
                data = receive(self.sock, _CHUNK)
                if not data:
                    self._finish()
                    return
                self._take_all(data)
                if not isinstance(self.sock, ssl.SSLSocket):
                    return
                # It may have more that no poller tells of.

    def _take_all(self, data: bytes) -> None:
        self._in += data
        while not self.finished and (found := take_frame(self._in, self._at)) is not None:
            taken, self._at = found
            assert taken.fin
            assert taken.rsv == 0
            self._take(taken.opcode, taken.payload)
        del self._in[: self._at]
        self._at = 0

    def _take(self, opcode: int, payload: bytes) -> None:
        assert self.answered is None, "something came behind the close frame"
        if opcode == CLOSE:
            self.answered = int.from_bytes(payload[:2], "big")
            if not self._closing:
                self._out += frame(CLOSE, payload[:2], key=b"1234")
        elif opcode == PONG:
            # Of several pings only the last need be answered (RFC 6455 section 5.5.3), which it
            # is where much is unsent.
            while payload != self._pings[self.ponged]:
                self.ponged += 1
                assert self.ponged < len(self._pings), (
                    "a pong that answers no ping, or out of order"
                )
            self.ponged += 1
        elif payload[:4] == b"echo":
            # Lost, doubled, out of order or changed: it is not the next one then.
            assert self.echoed < len(self.expected), "more has come back than was sent"
            assert (opcode, payload) == self.expected[self.echoed], f"echo {self.echoed}"
            self.echoed += 1
        else:
            self._take_push(payload)

    def _take_push(self, payload: bytes) -> None:
        kind, digits = payload[:4].decode("latin-1"), payload[4:10]
        assert kind in self.pushed, f"nobody sent {payload[:20]!r}"
        assert digits.isdigit(), f"nobody sent {payload[:20]!r}"
        number = int(digits)
        characters = len(payload.decode(errors="replace")) - len("push000000:")
        assert payload == message(kind, number, 2 * characters), f"{kind} {number} was changed"
        before = self.pushed[kind]
        assert not before or before[-1] < number, f"{kind} {number} came behind {before[-1]}"
        before.append(number)

    # -- The end ---------------------------------------------------------------

    def complete(self) -> bool:
        """Whether everything that was sent has been answered."""
        return self.echoed == len(self.expected) and self.ponged == len(self._pings)

    def end(self) -> None:
        """Begin to end, in its own way."""
        if self._closing or self.finished:
            return
        self._closing = True
        self._lazy = False
        if self.ending == "reset":
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._finish()
        elif self.ending == "half-close":
            with contextlib.suppress(OSError):
                # Below TLS, without its goodbye.
                socket.socket.shutdown(self.sock, socket.SHUT_WR)
        else:
            self._out += frame(CLOSE, close_payload(self.close_code), key=b"abcd")
            if self.ending == "close-and-go":
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._write()
                self._finish()

    def _finish(self) -> None:
        self.finished = True
        self.sock.close()

    def state(self) -> str:
        """What can be told of it."""
        told = "finished" if self.finished else "ending" if self._closing else "talking"
        return (
            f"{self.ending}, {told}: {self.echoed} of {len(self.expected)} echoes, {self.ponged} of"
            f" {len(self._pings)} pongs, pushed {self.pushed}, answered {self.answered}, holds"
            f" {len(self._out)} to send and {len(self._in)} received, lazy {self._lazy}"
        )

    def close(self) -> None:
        """Leave nothing behind."""
        self.sock.close()
