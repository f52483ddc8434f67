"""Sending a message whose parts a program makes one after the other.

It knows the order of fragments (RFC 6455 section 5.4), how a part becomes bytes,
and nothing of sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from ws4py._wire.codes import INTERNAL_ERROR
from ws4py.exc import TextFrameEncodingException

__all__ = ["encode", "send_fragments"]


class Sender(Protocol):
    """What is needed of a connection; see :class:`ws4py.websocket.WebSocket`."""

    def _send_data(self, opcode: int, data: bytes) -> None: ...

    def _send_fragment(self, opcode: int, data: bytes, first: bool, last: bool) -> bool: ...

    def _fail(self, code: int, reason: str) -> None: ...


def encode(payload: Any) -> bytes:
    """Text or anything like bytes, as bytes.

    :raises TextFrameEncodingException: text with a lone surrogate.
    :raises ValueError: anything else.
    """
    if not isinstance(payload, (str, bytes, bytearray, memoryview)):
        raise ValueError(f"Unsupported type '{type(payload)}' passed to send()")  # noqa: TRY004 - as in 0.6
    if isinstance(payload, str):
        try:
            return payload.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TextFrameEncodingException(f"text cannot be UTF-8: {error}") from None
    return bytes(payload)


def send_fragments(sender: Sender, opcode: int, parts: Iterator[Any]) -> None:
    """Send each chunk as a fragment, as soon as it is known whether another follows.

    The connection's lock is not held while the program makes a chunk. Whole
    messages that are sent meanwhile leave behind the last fragment; a second
    message in fragments, of another thread, becomes a whole one, since "fragments
    of one message MUST NOT be interleaved between the fragments of another message".
    """
    chunks = map(encode, parts)
    pending, first = next(chunks, b""), True
    try:
        for chunk in chunks:
            if not sender._send_fragment(opcode, pending, first, False):  # noqa: SLF001
                sender._send_data(opcode, b"".join([pending, chunk, *chunks]))  # noqa: SLF001
                return
            pending, first = chunk, False
        if not sender._send_fragment(opcode, pending, first, True):  # noqa: SLF001
            sender._send_data(opcode, pending)  # noqa: SLF001
    except BaseException:
        if not first:
            sender._fail(INTERNAL_ERROR, "a fragmented message could not be completed")  # noqa: SLF001
        raise
