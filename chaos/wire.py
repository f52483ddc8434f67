"""A WebSocket client whose every byte is the row's: frames, requests, and one blocking socket.

It shares no code with ws4py, so that a mistake cannot agree with itself.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import time
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from chaos.failure import ChaosError

if TYPE_CHECKING:
    from typing_extensions import Self

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: Far above what any answer may take; it only ends a row that would hang.
PATIENCE = 20.0

_RESET = struct.pack("ii", 1, 0)
#: A key that a server has to take like any other; a peer of ours needs no unforeseeable one.
_KEY = b"\x12\x34\x56\x78"


class Frame(NamedTuple):
    """A received frame."""

    opcode: int
    payload: bytes
    fin: bool

    @property
    def code(self) -> int:
        """The close code in it."""
        if len(self.payload) < 2:
            return 1005
        return int.from_bytes(self.payload[:2], "big")


def header(
    opcode: int, length: int, *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """Return the header of a frame, with the masking key; any length can be declared."""
    first, bit = (0x80 if fin else 0) | rsv << 4 | opcode, 0x80 if masked else 0
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 65536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    return head + _KEY if masked else head


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """Return a frame; everything can be made wrong."""
    head = header(opcode, len(payload), fin=fin, rsv=rsv, masked=masked)
    return head + (mask(payload) if masked else payload)


def mask(payload: bytes) -> bytes:
    """Return the payload masked with the key that :func:`header` writes."""
    pattern = (_KEY * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return mixed.to_bytes(len(payload), "big")


def close_frame(code: int = 1000, reason: bytes = b"") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def request(path: str = "/ws", /, **fields: str | list[str] | None) -> bytes:
    """Return an upgrade request.

    ``fields`` replace header fields or, with ``None``, drop them; a list gives one several
    times. Underscores stand for dashes.
    """
    return _head(f"GET {path} HTTP/1.1", fields)


def requested(line: str) -> bytes:
    """Return an upgrade request with another request line."""
    return _head(line, {})


def _head(first: str, fields: dict[str, str | list[str] | None]) -> bytes:
    named: dict[str, str | list[str] | None] = {
        "host": "127.0.0.1",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
        "sec-websocket-version": "13",
    }
    named.update({name.replace("_", "-").lower(): value for name, value in fields.items()})
    lines = [first]
    for name, value in named.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{name}: {each}" for each in values if each is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Client:
    """A connection to the server under test.

    :param tls: the context of a TLS connection, ``None`` for a plain one.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.reset()

    def send(self, data: bytes) -> bool:
        """Send all of it; ``False`` when the server has ended the connection meanwhile."""
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLError):
            return False
        return True

    def more(self) -> bool:
        """Receive something; ``False`` at the connection's end."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        except TimeoutError:
            raise ChaosError(f"nothing came for {self.sock.gettimeout()} s") from None
        self.buffer += data
        return bool(data)

    def head(self) -> tuple[int, dict[str, str]]:
        """Read a response's head: the status, 0 when there is none, and the fields."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return 0, {}
        text, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = text.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def upgrade(self, path: str = "/ws", **fields: str | list[str] | None) -> int:
        """Send an upgrade request and return the status of the answer."""
        self.send(request(path, **fields))
        return self.head()[0]

    def next_frame(self) -> Frame | None:
        """Read a frame, ``None`` at the end of the connection."""
        while (parsed := _parse(self.buffer)) is None:
            if not self.more():
                return None
        received, self.buffer = parsed
        return received

    def next_message(self) -> Frame | None:
        """Read the next frame that is no ping; answer those before it."""
        while (received := self.next_frame()) is not None and received.opcode == PING:
            self.send(frame(PONG, received.payload))
        return received

    def close_code(self) -> int:
        """Read on to the close frame and return its code; 0 when the connection ends without."""
        while (received := self.next_message()) is not None:
            if received.opcode == CLOSE:
                return received.code
        return 0

    def ends(self, within: float = PATIENCE) -> float | None:
        """Read to the end; return after how many seconds it came, ``None`` if it did not."""
        begin = time.monotonic()
        self.sock.settimeout(within)
        try:
            while self.more():
                if time.monotonic() - begin > within:
                    return None
        except ChaosError:
            return None
        finally:
            self.sock.settimeout(PATIENCE)
        return time.monotonic() - begin

    def reset(self) -> None:
        """End the connection with a RST."""
        if self.sock.fileno() >= 0:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()


def _parse(data: bytes) -> tuple[Frame, bytes] | None:
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size > 125:
        width = 2 if size == 126 else 8
        if len(data) < 2 + width:
            return None
        size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
    if len(data) < at + size:
        return None
    return Frame(data[0] & 0xF, data[at : at + size], bool(data[0] & 0x80)), data[at + size :]
