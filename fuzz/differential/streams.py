"""Random streams of frames: right ones, and ones in which something was changed."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import NamedTuple

from fuzz.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

__all__ = ["ALL_WIDTHS", "MAX_SIZE", "Stream", "conversation", "stream"]

#: Bytes in a message, the limit of those that have one.
MAX_SIZE = 1000
#: Text with characters of one to four bytes.
ALL_WIDTHS = "aé€😀żółw"

_RSV1 = 4
_SIZES = (0, 1, 10, 125, 126, 200)


class Stream(NamedTuple):
    """What a peer sends.

    :param server: whether it goes to a server, so is masked.
    :param deflate: permessage-deflate was negotiated, without context takeover.
    """

    data: bytes
    server: bool
    deflate: bool


class _Writer:
    """Makes frames with keys of the seed's, or a difference could not be repeated."""

    def __init__(self, rng: random.Random, *, server: bool, deflate: bool) -> None:
        self.rng = rng
        self.server = server
        self.deflate = deflate

    def frame(self, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
        key = self.rng.randbytes(4) if self.server else None
        return frame(opcode, payload, fin=fin, rsv=rsv, key=key)

    def message(self) -> list[bytes]:
        """Return the frames of a message, with control frames between them."""
        rng = self.rng
        opcode, size = rng.choice((TEXT, BINARY)), rng.choice(_SIZES)
        text = "".join(rng.choices(ALL_WIDTHS, k=size)).encode()
        payload = text if opcode == TEXT else rng.randbytes(size)
        rsv = 0
        if self.deflate and rng.random() < 0.7:
            payload, rsv = _deflated(payload), _RSV1
        borders = sorted(rng.choices(range(len(payload) + 1), k=rng.choice((0, 0, 1, 3))))
        borders = [0, *borders, len(payload)]
        frames = []
        for index in range(len(borders) - 1):
            frames += self.control()
            part = payload[borders[index] : borders[index + 1]]
            kind, fin = CONTINUATION if index else opcode, index == len(borders) - 2
            frames.append(self.frame(kind, part, fin=fin, rsv=0 if index else rsv))
        return frames

    def control(self) -> list[bytes]:
        rng = self.rng
        if rng.random() > 0.3:
            return []
        return [self.frame(rng.choice((PING, PONG)), rng.randbytes(rng.choice((0, 5, 125))))]

    def close(self) -> list[bytes]:
        said = (b"", b"\x03\xe8", b"\x03\xf4\xe2\x82\xac", b"\x0b\xb8reason")
        return [self.frame(CLOSE, self.rng.choice(said))] if self.rng.random() < 0.5 else []

    def wrong(self) -> bytes:
        """Return a frame that some rule forbids."""
        opcode, payload = self.rng.choice(_WRONG)
        return self.frame(opcode, payload)


_WRONG = (
    (TEXT, b"\xff"),
    (TEXT, b"\xed\xa0\x80"),
    (TEXT, b"\xe2\x82"),
    (CONTINUATION, b"\xc0\x80"),
    (TEXT, b"a" * (MAX_SIZE + 1)),
    (CONTINUATION, b"a" * (MAX_SIZE + 1)),
    (CLOSE, b"\x03"),
    (CLOSE, b"\x03\xed"),
    (CLOSE, b"\x03\xe8\xff"),
    (CLOSE, b"\x13\x88"),
    (CLOSE, bytes(126)),
)


def _deflated(payload: bytes) -> bytes:
    deflater = zlib.compressobj(6, zlib.DEFLATED, -15)
    return (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def conversation(writer: _Writer) -> list[bytearray]:
    """Return frames that obey every rule; sometimes with a close frame at the end."""
    frames: list[bytes] = []
    for _ in range(writer.rng.randint(1, 6)):
        frames += writer.message()
    return [bytearray(each) for each in [*frames, *writer.close()]]


# -- What is changed -------------------------------------------------------------------


def _turn_a_bit(one: bytearray, writer: _Writer) -> None:
    one[writer.rng.randrange(min(len(one), 3))] ^= 1 << writer.rng.randrange(8)


def _change_a_byte(one: bytearray, writer: _Writer) -> None:
    one[writer.rng.randrange(len(one))] = writer.rng.randrange(256)


def _lose_a_byte(one: bytearray, writer: _Writer) -> None:
    del one[writer.rng.randrange(len(one))]


def _add_a_byte(one: bytearray, writer: _Writer) -> None:
    one.insert(writer.rng.randrange(len(one)), writer.rng.randrange(256))


def _repeat(one: bytearray, _writer: _Writer) -> None:
    one *= 2


def _write_the_length_in_two_bytes(one: bytearray, _writer: _Writer) -> None:
    if one[1] & 0x7F < 126:
        one[1:2] = bytes((one[1] & 0x80 | 126, 0, one[1] & 0x7F))


def _replace(one: bytearray, writer: _Writer) -> None:
    one[:] = writer.wrong()


_CHANGES: tuple[Callable[[bytearray, _Writer], None], ...] = (
    _turn_a_bit,
    _change_a_byte,
    _lose_a_byte,
    _add_a_byte,
    _repeat,
    _write_the_length_in_two_bytes,
    _replace,
)


def stream(seed: int, *, right: bool | None = None) -> Stream:
    """Return the stream of a seed; a quarter of them obeys every rule.

    :param right: whether it has to obey them.
    """
    rng = random.Random(seed)
    server, deflate = rng.random() < 0.5, rng.random() < 0.3
    obeys = rng.random() < 0.25 if right is None else right
    writer = _Writer(rng, server=server, deflate=deflate)
    frames = conversation(writer)
    if not obeys:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            chosen = rng.choice(frames)
            if len(chosen) > 1:
                rng.choice(_CHANGES)(chosen, writer)
    data = b"".join(frames)
    if not obeys and rng.random() < 0.2:
        data = data[: rng.randrange(len(data) + 1)]
    return Stream(data, server, deflate)
