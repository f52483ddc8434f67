"""Waking a loop from another thread through a descriptor it waits for.

An eventfd where the system has it, a socket pair elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["Wakeup"]

_DRAIN_SIZE = 4096


class Wakeup:
    """A descriptor that becomes readable by :meth:`wake`; safe from any thread."""

    def __init__(self) -> None:
        self._pair: tuple[socket.socket, socket.socket] | None = None
        if hasattr(os, "eventfd"):
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._pair = reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self.fd = reader.fileno()

    def wake(self) -> None:
        """Make the descriptor readable."""
        # Full means that it is readable already.
        with contextlib.suppress(BlockingIOError):
            if self._pair is None:
                os.eventfd_write(self.fd, 1)
            else:
                self._pair[1].send(b"\0")

    def drain(self) -> None:
        """Make it unreadable again."""
        with contextlib.suppress(BlockingIOError):
            if self._pair is None:
                os.eventfd_read(self.fd)
            else:
                self._pair[0].recv(_DRAIN_SIZE)

    def close(self) -> None:
        """Close the descriptor."""
        if self._pair is None:
            os.close(self.fd)
        else:
            for end in self._pair:
                end.close()
