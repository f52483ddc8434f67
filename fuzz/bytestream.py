"""Reads an input: its first bytes choose what is tried, the rest is what is tried on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["ByteStream", "cut"]

_T = TypeVar("_T")


class ByteStream:
    """An input from its beginning on. Where it has ended, every choice is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Take a byte."""
        at = self._at
        self._at += 1
        return self._data[at] if at < len(self._data) else 0

    def flag(self, bit: int, among: int) -> bool:
        """Tell whether a bit is set in a byte that was taken before."""
        return bool(among >> bit & 1)

    def choice(self, options: Sequence[_T]) -> _T:
        """Take a byte, and what it chooses."""
        return options[self.byte() % len(options)]

    def take(self, size: int) -> bytes:
        """Take some bytes, fewer where the input ends."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """Take everything that is left."""
        return self.take(len(self._data))

    def empty(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._data)


def cut(data: bytes, seed: int) -> list[bytes]:
    """Cut bytes into pieces: most of them short, since headers are; the seed says where."""
    rng = random.Random(seed)
    longest = rng.choice((1, 3, 20, 1000))
    pieces, at = [], 0
    while at < len(data):
        size = rng.randint(1, longest)
        pieces.append(data[at : at + size])
        at += size
    return pieces
