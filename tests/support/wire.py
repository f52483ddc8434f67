"""Frames read back from bytes, and bytes cut into pieces; shares no code with ws4py."""

import itertools

import pytest

from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, frame

__all__ = [
    "ALL_WIDTHS",
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "NOT_UTF8",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "bare_header",
    "cuts",
    "feed_all",
    "frame",
    "keys",
    "mask_slowly",
    "read_frames",
    "violation_code",
]

#: Text with characters of one to four bytes.
ALL_WIDTHS = "aé€😀żółw"

#: Test parameters: bytes that are wrong wherever they stand in a text.
NOT_UTF8 = [
    pytest.param(b"\x80", id="tail-alone"),
    pytest.param(b"\xff", id="never-a-byte"),
    pytest.param(b"\xc0\x80", id="overlong-2"),
    pytest.param(b"\xe0\x9f\xbf", id="overlong-3"),
    pytest.param(b"\xf0\x8f\xbf\xbf", id="overlong-4"),
    pytest.param(b"\xed\xa0\x80", id="first-surrogate"),
    pytest.param(b"\xed\xbf\xbf", id="last-surrogate"),
    pytest.param(b"\xf4\x90\x80\x80", id="above-10ffff"),
    pytest.param(b"\xe2\x82A", id="cut-short-inside"),
]


def mask_slowly(data: bytes, key: bytes) -> bytes:
    """RFC 6455 section 5.3, word for word: octet i of the data with octet i MOD 4."""
    return bytes(octet ^ key[i % 4] for i, octet in enumerate(data))


def _scan(data: bytes):
    """Yield each frame with its key; ``data`` has to end where a frame ends."""
    position = 0
    while position < len(data):
        first, second = data[position : position + 2]
        size, position = second & 0x7F, position + 2
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[position : position + width], "big")
            position += width
        key = None
        if second & 0x80:
            key, position = data[position : position + 4], position + 4
        payload, position = data[position : position + size], position + size
        assert len(payload) == size, "the last frame is not complete"
        if key is not None:
            payload = mask_slowly(payload, key)
        yield Frame(first & 0xF, payload, bool(first & 0x80), (first >> 4) & 7), key


def read_frames(data: bytes) -> list[Frame]:
    """All frames in ``data``, unmasked."""
    return [each for each, _ in _scan(data)]


def keys(data: bytes) -> list[bytes | None]:
    """The masking key of each frame in ``data``; ``None`` for an unmasked one."""
    return [key for _, key in _scan(data)]


def cuts(data: bytes, *positions: int) -> list[bytes]:
    """``data`` in pieces, cut at the positions."""
    borders = [0, *sorted(positions), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(borders)]


def bare_header(opcode: int, size: int, fin: bool = True, mask: bool = True, width: int = 8):
    """The first bytes of a frame that declares ``size`` bytes; no key, no payload.

    :param width: bytes that the length is written in: 0, 2 or 8.
    """
    first, bit = (0x80 if fin else 0) | opcode, 0x80 if mask else 0
    if not width:
        return bytes((first, bit | size))
    return bytes((first, bit | (126 if width == 2 else 127))) + size.to_bytes(width, "big")


def feed_all(reader, *pieces):
    """Feed the pieces to a ``MessageReader``; return everything that came out."""
    return [item for piece in pieces for item in reader.feed(piece)]


def violation_code(reader):
    """The close code that answers what the peer did wrong, ``None`` for nothing."""
    return None if reader.violation is None else reader.violation.code
