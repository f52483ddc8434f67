"""Bytes of one connection that the kernel has not taken yet, in order.

A queue and nothing more; its owner serialises the calls.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Outbox"]

#: Small pieces are joined up to this size, so that many replies leave in one call.
_JOINED = 64 * 1024


#: Of every queue that is empty: an idle connection has no deque, which is large even without items.
_NOTHING: deque[bytes] = deque()


class Outbox:
    """A queue of byte strings that is emptied in pieces of any size."""

    __slots__ = ("_pieces", "_taken", "size")

    def __init__(self) -> None:
        self._pieces = _NOTHING
        # How much of the first piece has been taken.
        self._taken = 0
        #: Bytes in the queue.
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def append(self, data: bytes) -> None:
        """Put bytes at the end; they are kept, not copied."""
        # An empty piece could never be taken.
        if data:
            if self._pieces is _NOTHING:
                self._pieces = deque()
            self._pieces.append(data)
            self.size += len(data)

    def head(self) -> bytes | memoryview:
        """What to send next; the same bytes, or more, until :meth:`take` is called.

        (OpenSSL wants a write that could not be done repeated with the same bytes.)
        """
        pieces = self._pieces
        if len(pieces) > 1 and len(pieces[0]) - self._taken < _JOINED:
            self._join()
        first = pieces[0]
        return memoryview(first)[self._taken :] if self._taken else first

    def take(self, count: int) -> None:
        """Note that ``count`` bytes of :meth:`head` have been sent."""
        self.size -= count
        self._taken += count
        if self._taken == len(self._pieces[0]):
            self._pieces.popleft()
            self._taken = 0
            if not self.size:
                self._pieces = _NOTHING

    def drain(self) -> bytes:
        """Take everything out."""
        rest = b"".join(self._pieces)[self._taken :]
        self._pieces = _NOTHING
        self._taken = self.size = 0
        return rest

    def _join(self) -> None:
        pieces = self._pieces
        size = -self._taken
        batch: list[bytes] = []
        while pieces and (not batch or size + len(pieces[0]) <= _JOINED):
            size += len(pieces[0])
            batch.append(pieces.popleft())
        if self._taken:
            batch[0] = batch[0][self._taken :]
            self._taken = 0
        pieces.appendleft(b"".join(batch) if len(batch) > 1 else batch[0])
