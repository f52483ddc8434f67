"""Reading a request's head, for servers that are ours: within a size and a time, and well-formed.

The parsers of the standard library ask for a line after the other and allow each of them
64 KiB, and time-outs of sockets are for one read, so that a byte a second lasts for ever.
Of a line that they do not understand they say nothing: it and all behind it are no header
fields any more, ``Origin`` and ``Content-Length`` included.
What a head means is not judged here.
"""

from __future__ import annotations

import io
import time
from typing import Any

from ws4py.exc import HandshakeError
from ws4py.protocol.http11 import parse_field

__all__ = ["MAX_LINE", "HeadLimits", "HeadTooLargeError", "MalformedHeadError", "PatientReader"]

#: Bytes of one line, the first included; and of the whole head.
MAX_LINE = 8 * 1024
_MAX_HEAD = 16 * 1024
_FORBIDDEN = frozenset("\r\n\0")


class HeadTooLargeError(Exception):
    """A request's head is longer than it may be: status 431."""


class MalformedHeadError(Exception):
    """A request's head is none of HTTP/1.1: status 400."""


class HeadLimits:
    """A reader of lines that judges them: what a parser is given in place of the real one.

    :param reader: the real one, behind the request's first line.
    :param first: that line; empty, where the client ended instead.
    :raises MalformedHeadError: it is no line.
    """

    def __init__(self, reader: Any, first: bytes) -> None:
        self._reader = reader
        self._left = _MAX_HEAD - len(first)
        self._has_length = False
        if first:
            _text_of(first)

    def readline(self, limit: int = -1) -> bytes:
        """Read a line.

        :param limit: the parser's own, which is above ours.
        :raises HeadTooLargeError: the line or the head is too long.
        :raises MalformedHeadError: the line is malformed, or the client ended before it.
        """
        line: bytes = self._reader.readline(MAX_LINE + 1)
        self._left -= len(line)
        if len(line) > MAX_LINE:
            raise HeadTooLargeError(f"a header line above {MAX_LINE} bytes")
        if self._left < 0:
            raise HeadTooLargeError(f"a head above {_MAX_HEAD} bytes")
        text = _text_of(line)
        if text:
            self._judge(text)
        return line

    def _judge(self, text: str) -> None:
        try:
            name, value = parse_field(text)
        except HandshakeError as error:
            raise MalformedHeadError(error.msg) from None
        if name.lower() != "content-length":
            return
        length = value.strip(" \t")
        # Of one that is no number, or of several, each reader has an opinion of its own.
        if self._has_length or not (length.isascii() and length.isdigit()):
            raise MalformedHeadError(f"malformed Content-Length: {length[:60]!r}")
        self._has_length = True


class PatientReader(io.RawIOBase):
    """A blocking socket's bytes, the first of them until a deadline.

    It has no part in the closing of its socket.

    :param timeout: seconds for one read, ``None`` for any time.
    :param patience: seconds for all reads until :meth:`head_is_read`, ``None`` likewise.
    """

    def __init__(self, sock: Any, timeout: float | None, patience: float | None) -> None:
        self._sock = sock
        self._timeout = timeout
        self._deadline = None if patience is None else time.monotonic() + patience
        #: Whether the client has sent anything, below TLS not counted.
        self.begun = False

    def readable(self) -> bool:
        """See :class:`io.IOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come.

        :raises TimeoutError: nothing has, for too long.
        """
        if self._deadline is not None:
            self._sock.settimeout(self._seconds_left(self._deadline))
        size = int(self._sock.recv_into(buffer))
        self.begun = self.begun or size > 0
        return size

    def head_is_read(self) -> None:
        """The deadline is kept; from now on each read has its own time."""
        self._deadline = None
        self._sock.settimeout(self._timeout)

    def _seconds_left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            # As a time-out it would mean: do not wait.
            raise TimeoutError("the request's head was not complete in time")
        return left if self._timeout is None else min(left, self._timeout)


def _text_of(line: bytes) -> str:
    """Return a line without its break.

    :raises MalformedHeadError: the client ended in the middle of it, or it has a line break
        of another kind, at its end or within, or a NUL.
    """
    text = line.decode("latin-1")
    if not text.endswith("\r\n") or not _FORBIDDEN.isdisjoint(text[:-2]):
        raise MalformedHeadError(f"malformed HTTP line: {text[:60]!r}")
    return text[:-2]
