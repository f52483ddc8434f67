"""A network of a row's own, whose only link can be taken down: everybody vanishes at once.

A namespace of the kernel's, so that nothing else on the machine notices. It needs a privilege;
where that is missing a row has to do without.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
_GET_FLAGS, _SET_FLAGS = 0x8913, 0x8914  # SIOCGIFFLAGS and SIOCSIFFLAGS of sockios.h
_UP = 1  # IFF_UP of if.h

_libc = ctypes.CDLL(None, use_errno=True)


class Link:
    """The loopback link of the network that the calling thread is in."""

    def set(self, up: bool) -> None:
        """Take it up or down."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = struct.pack("16sh14x", b"lo", 0)
            (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, _GET_FLAGS, request), 16)
            flags = flags | _UP if up else flags & ~_UP
            fcntl.ioctl(sock, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags))


@contextmanager
def own() -> Iterator[Link | None]:
    """Be in a network of one's own, with all processes started meanwhile; ``None``: may not."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if _libc.unshare(_NEW_NETWORK):
            yield None
            return
        try:
            link = Link()
            link.set(up=True)
            yield link
        finally:
            _libc.setns(before, _NEW_NETWORK)
    finally:
        os.close(before)
