"""The frame parser: both roles, both builds, any limits, cut anywhere.

Input: a byte of flags (1: the peer has to mask, 2: small limits, 4: an extension), two bytes that
say where to cut, then what the peer sends.
"""

from __future__ import annotations

import contextlib
from typing import Any

from fuzz.bytestream import ByteStream, cut
from fuzz.wire import BINARY, CLOSE, TEXT
from ws4py import _twins
from ws4py._wire import codec_py, octets_py
from ws4py._wire.codec_py import FAILED
from ws4py.exc import ProtocolException, TextFrameEncodingException

__all__ = ["WORDS", "check"]

WORDS = (
    b"\x81\x05hello",
    b"\x81\x80\0\0\0\0",
    b"\x82\x80\0\0\0\0",
    b"\x01\x80\0\0\0\0",
    b"\x00\x80\0\0\0\0",
    b"\x80\x80\0\0\0\0",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x89\x80\0\0\0\0",
    b"\x8a\x80\0\0\0\0",
    b"\xfe\x00\x7e",
    b"\xff\0\0\0\0\0\x01\0\0",
    "é€😀".encode(),
)

_LIMITS = (200, 150, 3)
_MOST = 1 << 20
#: A header and a control frame's payload, that wait for the rest of it.
_UNPARSED = 14 + 125
_CODES = {1002, 1007, 1008, 1009}

#: The builds that there are.
_CODECS: list[Any] = [codec_py]
_OCTETS: list[Any] = [octets_py]
if not _twins.PURE:
    with contextlib.suppress(ImportError):
        from ws4py._wire import codec_c, octets_c

        _CODECS.append(codec_c)
        _OCTETS.append(octets_c)


class _Reversing:
    """An extension that turns a message's bytes around, part by part, and never refuses."""

    rsv = 0x40

    def decode(self, data: bytes, final: bool, limit: int | None) -> bytes:
        return data.translate(_TURNED)


_TURNED = bytes(range(255, -1, -1))


def check(data: bytes) -> None:
    """Never raises for what a peer sent; cutting and the build change nothing.

    What comes out keeps to the limits, text is UTF-8, a violation is the last thing that is told
    and has one of the codes 1002, 1007, 1008, 1009, and no more is held than the limits allow.
    """
    stream = ByteStream(data)
    flags, seed = stream.byte(), stream.byte() << 8 | stream.byte()
    received = stream.rest()
    stories = [
        _story(codec, flags, pieces)
        for codec in _CODECS
        for pieces in ([received], cut(received, seed))
    ]
    for other in stories[1:]:
        assert other == stories[0], f"{stories[0]!r:.500} / {other!r:.500}"
    texts = [_text(octets, received) for octets in _OCTETS]
    assert texts == [texts[0]] * len(texts), texts


def _story(codec: Any, flags: int, pieces: list[bytes]) -> tuple[Any, ...]:
    """Feed a reader; return all that can be seen of it from outside."""
    limits = _LIMITS if flags & 2 else (_MOST, None, None)
    reader = codec.MessageReader(bool(flags & 1), *limits, _Reversing() if flags & 4 else None)
    items: list[tuple[int, bytes]] = []
    for piece in pieces:
        if reader.done:
            # Nobody feeds a reader that is done, as shells do not.
            break
        items += reader.feed(piece)
        assert reader.buffered <= limits[0] + _UNPARSED
    _judge(items, reader, limits[0])
    violation = reader.violation
    told = (type(violation), violation.code, violation.reason) if violation else None
    # How much is held of what will never be completed may differ, so it is not compared.
    return items, told, reader.done, reader.done or (reader.buffered, reader.at_rest)


def _judge(items: list[tuple[int, bytes]], reader: Any, largest: int) -> None:
    last = [number for number, (opcode, _) in enumerate(items) if opcode in {CLOSE, FAILED}]
    assert last == ([len(items) - 1] if reader.done else [])
    assert bool(reader.violation) is any(opcode == FAILED for opcode, _ in items)
    if reader.violation is not None:
        assert reader.violation.code in _CODES
    for opcode, payload in items:
        assert len(payload) <= (largest if opcode <= BINARY else 125)
        if opcode == TEXT:
            payload.decode("utf-8")


def _text(octets: Any, data: bytes) -> bool:
    """Whether a build takes bytes for text; the standard library has to agree."""
    try:
        octets.check_text(data)
    except (ProtocolException, TextFrameEncodingException):
        found = False
    else:
        found = True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        assert not found
    else:
        assert found
    return found
