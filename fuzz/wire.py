"""Frames made and read by the fuzzers themselves; it shares no code with ws4py."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "close_payload",
    "frame",
    "read_frames",
    "take_frame",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

_FIN = 0x80
_MASKED = 0x80


class Frame(NamedTuple):
    """A frame that was read back."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, key: bytes | None = None
) -> bytes:
    """Return the bytes of a frame, masked when there is a key."""
    first = (_FIN if fin else 0) | rsv << 4 | opcode
    bit, size = 0 if key is None else _MASKED, len(payload)
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65536:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    return head + payload if key is None else head + key + _masked(payload, key)


def close_payload(code: int, reason: bytes = b"") -> bytes:
    """Return what a close frame says."""
    return code.to_bytes(2, "big") + reason


def take_frame(data: bytes | bytearray, at: int) -> tuple[Frame, int] | None:
    """Read the frame that begins there; return it and where it ends, ``None`` if it is cut off."""
    if len(data) < at + 2:
        return None
    first, second = data[at], data[at + 1]
    size, position = second & 0x7F, at + 2
    if size > 125:
        width = 2 if size == 126 else 8
        size = int.from_bytes(data[position : position + width], "big")
        position += width
    key = None
    if second & _MASKED:
        key = bytes(data[position : position + 4])
        position += 4
    if len(data) < position + size:
        return None
    payload = bytes(data[position : position + size])
    payload = payload if key is None else _masked(payload, key)
    return Frame(first & 0xF, payload, bool(first & _FIN), first >> 4 & 7), position + size


def read_frames(data: bytes) -> list[Frame]:
    """Read all frames; ``data`` has to end where a frame ends."""
    frames, at = [], 0
    while at < len(data):
        found = take_frame(data, at)
        assert found is not None, "the last frame is not complete"
        frames.append(found[0])
        at = found[1]
    return frames


def _masked(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    pattern = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return mixed.to_bytes(size, "big")
