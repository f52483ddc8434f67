"""The head of an HTTP/1.1 message, for those who read one off a socket themselves.

Servers have their own HTTP reader; a client has to read the response to its
handshake. Bounded in bytes, line length and number of fields, linear in time.
"""

from __future__ import annotations

from ws4py.exc import HandshakeError
from ws4py.protocol.headers import Headers, is_token

__all__ = ["HeadReader", "build_head", "parse_field"]

_MAX_HEAD = 16 * 1024
_MAX_LINE = 8 * 1024
_MAX_FIELDS = 128
_TOO_LARGE = 431
_END = b"\r\n\r\n"
_FORBIDDEN = frozenset("\r\n\0")


class HeadReader:
    r"""Collects received bytes until the head is complete.

    >>> reader = HeadReader()
    >>> reader.feed(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nrest")
    True
    >>> reader.start_line, reader.rest
    ('HTTP/1.1 101 Switching Protocols', b'rest')
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.start_line = ""
        self.headers = Headers()
        #: What was received behind the head; frames, when the status is 101.
        self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Take received bytes; return whether the head is complete.

        :raises HandshakeError: the head is malformed (400) or too large (431).
        """
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data
        end = self._buffer.find(_END, searched)
        # Where it may still end: the buffer's last bytes may be the beginning of the empty line.
        earliest = len(self._buffer) - len(_END) + 1 if end < 0 else end
        if earliest > _MAX_HEAD:
            raise HandshakeError("HTTP head above 16 KiB", _TOO_LARGE)
        if end < 0:
            return False
        self._parse(bytes(self._buffer[:end]))
        self.rest = bytes(self._buffer[end + len(_END) :])
        self._buffer.clear()
        return True

    def status(self) -> int:
        """The status code, where the message is a response.

        :raises HandshakeError: the start line is not a status line of HTTP/1.1.
        """
        parts = self.start_line.split(" ", 2)
        if len(parts) < 2 or parts[0] != "HTTP/1.1":
            raise HandshakeError(f"not an HTTP/1.1 status line: {self.start_line[:60]!r}")
        code = parts[1]
        if len(code) != 3 or not (code.isascii() and code.isdigit()):
            raise HandshakeError(f"not an HTTP status code: {code[:20]!r}")
        return int(code)

    def _parse(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        if any(len(line) > _MAX_LINE for line in lines):
            raise HandshakeError("HTTP header line above 8 KiB", _TOO_LARGE)
        self.start_line, *field_lines = lines
        if not _FORBIDDEN.isdisjoint(self.start_line):
            raise HandshakeError(f"malformed HTTP start line: {self.start_line[:60]!r}")
        if len(field_lines) > _MAX_FIELDS:
            raise HandshakeError("more than 128 HTTP header fields", _TOO_LARGE)
        self.headers = Headers(parse_field(line) for line in field_lines)


def parse_field(line: str) -> tuple[str, str]:
    """Return the name and the value of a header line.

    :param line: without its line break.
    :raises HandshakeError: it is malformed.
    """
    name, colon, value = line.partition(":")
    # RFC 7230 section 3.2.4: no blank before the colon, no line folding.
    if not colon or not is_token(name) or not _FORBIDDEN.isdisjoint(value):
        raise HandshakeError(f"malformed HTTP header line: {line[:60]!r}")
    return name, value


def build_head(start_line: str, fields: list[tuple[str, str]]) -> bytes:
    """Return the bytes of a head.

    :raises ValueError: a line break or NUL in a part of it, which could be used
        to smuggle in a field of somebody else's choice.
    """
    lines = [start_line, *(f"{name}: {value}" for name, value in fields)]
    for line in lines:
        if not _FORBIDDEN.isdisjoint(line):
            raise ValueError(f"line break or NUL in an HTTP header: {line[:60]!r}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
