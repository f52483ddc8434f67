"""A WebSocket client of a test's own making: every byte is the test's.

It shares no code with ws4py, so that a mistake cannot agree with itself.
"""

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
from typing import NamedTuple

from tests.support.waiting import DEADLINE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_RESET = struct.pack("ii", 1, 0)


class Frame(NamedTuple):
    """A received frame."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0

    @property
    def close_code(self) -> int:
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, key=None) -> bytes:
    """The bytes of a frame; everything can be made wrong."""
    first = (0x80 if fin else 0) | (rsv << 4) | opcode
    bit = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    if not mask:
        return head + payload
    key = os.urandom(4) if key is None else key
    pattern = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return head + key + mixed.to_bytes(size, "big")


def close_frame(code=1000, reason=b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def request(path="/ws", host="127.0.0.1", method="GET", version="HTTP/1.1", **changes) -> bytes:
    """An upgrade request; ``changes`` replace (or, with ``None``, drop) header fields.

    Underscores in names stand for dashes; a list gives a field several times.
    """
    fields = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    known = {name.lower(): name for name in fields}
    for keyword, value in changes.items():
        name = keyword.replace("_", "-")
        fields[known.get(name.lower(), name)] = value
    lines = [f"{method} {path} {version}"]
    for name, value in fields.items():
        values = value if isinstance(value, list) else [value]
        lines += [f"{name}: {each}" for each in values if each is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def accept_for(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


class Response(NamedTuple):
    """The head of an HTTP response, names as they were spelled."""

    status: int
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)


# How long nothing has to be taken to be sure that reading has paused.
_STUCK_SECONDS = 0.5


class RawClient:
    """A connection to a server, with a read buffer."""

    def __init__(self, address, tls: ssl.SSLContext | None = None) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(DEADLINE)
        try:
            self.sock.connect(address)
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        except OSError:
            self.sock.close()
            raise
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"connection ended with {self.buffer[:80]!r} unread")
        self.buffer += data

    def send_until_stuck(self, one: bytes) -> int:
        """Send the same bytes over and over, until nobody takes them; returns how many."""
        sent = 0
        data = memoryview(one * max(2, 1_000_000 // len(one)))
        while select.select([], [self.sock], [], _STUCK_SECONDS)[1]:
            sent += self.sock.send(data[sent % len(one) :], socket.MSG_DONTWAIT)
        return sent

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_response(self) -> Response:
        """Read the head of a response, and its body where it says how long that is."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        pairs = [tuple(line.split(": ", 1)) for line in lines]
        response = Response(int(status_line.split()[1]), pairs)
        self.body = self.read(int(response.get("Content-Length") or 0))
        return response

    def upgrade(self, path="/ws", behind=b"", **changes) -> Response:
        """Send an upgrade request, and ``behind`` in the same segment; read the answer."""
        self.send(request(path, **changes) + behind)
        return self.read_response()

    def read_frame(self) -> Frame:
        first, second = self.read(2)
        assert not second & 0x80, "a server must not mask"
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", self.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.read(8))[0]
        return Frame(first & 0xF, self.read(size), bool(first & 0x80), (first >> 4) & 7)

    def at_end(self) -> bool:
        """Whether the connection ends here, without a byte more."""
        if self.buffer:
            return False
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def finish(self) -> list[Frame]:
        """Read frames to the end of the connection."""
        frames = []
        while not self.at_end_of_frames():
            frames.append(self.read_frame())
        return frames

    def at_end_of_frames(self) -> bool:
        if not self.buffer:
            try:
                self.buffer = self.sock.recv(65536)
            except ConnectionResetError:
                return True
        return not self.buffer

    def say_goodbye(self, code=1000) -> Frame:
        """A whole closing handshake, begun here; returns the server's close frame."""
        self.send(close_frame(code))
        while (received := self.read_frame()).opcode != CLOSE:
            pass
        assert self.at_end()
        return received

    def reset(self) -> None:
        """End the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()
