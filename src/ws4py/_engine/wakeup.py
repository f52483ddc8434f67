"""Waking a loop from another thread through a descriptor it waits for.

An eventfd where the system has it, a socket pair elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading

__all__ = ["Wakeup"]

_DRAIN_SIZE = 4096


class Wakeup:
    """A descriptor that becomes readable by :meth:`wake`; safe from any thread."""

    def __init__(self) -> None:
        # Never held during a system call, which lets go of the GIL: on a busy server who wants it
        # would have to wait until its holder has got the GIL back. Reentrant for the sake of a
        # signal's handler.
        self._gate = threading.RLock()
        self._wakers = 0
        self._closing = False
        self._pair: tuple[socket.socket, socket.socket] | None = None
        if hasattr(os, "eventfd"):
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:
            self._pair = reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self.fd = reader.fileno()

    def wake(self) -> None:
        """Make the descriptor readable. Does nothing once it is closed."""
        with self._gate:
            if self._closing:
                return
            self._wakers += 1
        try:
            self._write()
        finally:
            if self._is_last():
                self._close()

    def _is_last(self) -> bool:
        """Be no waker any more; whether it has been left to us to close the descriptor."""
        with self._gate:
            self._wakers -= 1
            return self._closing and not self._wakers

    def _write(self) -> None:
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
        """Close the descriptor; who is in the middle of :meth:`wake` does it at its end.

        Its number may soon be another's, whom a late waker must not write to.
        """
        with self._gate:
            self._closing = True
            idle = not self._wakers
        if idle:
            self._close()

    def _close(self) -> None:
        if self._pair is None:
            os.close(self.fd)
        else:
            for end in self._pair:
                end.close()
