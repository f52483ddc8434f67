"""c/kernel.c: built with the system's compiler, preloaded, and told by calls what to do."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from fuzz.places import CACHE, SOURCES

__all__ = ["KINDS", "Kernel", "UnavailableError", "compiler", "library"]

_SOURCE = SOURCES / "kernel.c"
_FLAGS = ("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-fPIC", "-shared")

#: What is done, in the order of `enum kind`.
KINDS = (
    "short reads and writes",
    "EAGAIN",
    "EINTR",
    "ECONNRESET or ETIMEDOUT",
    "ENOBUFS",
    "fewer events",
    "no room (ENOSPC, EMFILE)",
    "not accepted (EMFILE, ...)",
    "closed with an error",
)


class UnavailableError(Exception):
    """It cannot be had on this machine; the message says why."""


def compiler() -> str:
    """Return the command of the C compiler: $CC, or gcc, or cc."""
    for candidate in (os.environ.get("CC"), "gcc", "cc"):
        if candidate and shutil.which(candidate):
            return candidate
    raise UnavailableError("there is no C compiler")


def library(folder: Path = CACHE / "bin") -> Path:
    """Return the library, built now when its source is another."""
    command = compiler()
    text = _SOURCE.read_bytes() + " ".join((command, *_FLAGS)).encode()
    target = folder / f"kernel-{hashlib.sha256(text).hexdigest()[:12]}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Under a name of its own: another run may be doing the same.
        made = target.with_suffix(f".{os.getpid()}")
        built = subprocess.run(
            [command, *_FLAGS, "-o", str(made), str(_SOURCE)],
            check=False,
            capture_output=True,
            text=True,
        )
        if built.returncode:
            raise UnavailableError(f"kernel.c does not build: {built.stderr[-2000:]}")
        made.rename(target)
    return target


class Kernel:
    """The one that this process runs on.

    :raises UnavailableError: it was not preloaded.
    """

    def __init__(self) -> None:
        self._calls = ctypes.CDLL(None)
        if not hasattr(self._calls, "kernel_begin"):
            raise UnavailableError("kernel.c is not preloaded here")
        self._calls.kernel_begin.argtypes = [ctypes.c_uint64, ctypes.c_uint]
        self._calls.kernel_arm.argtypes = [
            *(ctypes.c_int, ctypes.c_uint, ctypes.c_uint64),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_int),
        ]
        for each in ("kernel_done", "kernel_moves", "kernel_turns"):
            getattr(self._calls, each).restype = ctypes.c_ulong

    def begin(self, seed: int, soft: int) -> None:
        """Forget everything; ``soft`` of a thousand waits go wrong, and as many accepts."""
        self._calls.kernel_begin(seed, soft)

    def arm(self, fd: int, slot: int, seed: int, soft: int, fatal: int, *, no_room: bool) -> None:
        """Have calls for a descriptor go wrong.

        :param slot: under which it is known later, when the number is another's.
        :param soft: of a thousand calls, those that move less, or nothing this time.
        :param fatal: of ten thousand, those that end the connection.
        :param no_room: epoll refuses to take it.
        """
        self._calls.kernel_arm(fd, slot, seed, soft, fatal, no_room)

    def refuse(self, count: int) -> None:
        """Have the next epolls and eventfds fail with EMFILE."""
        self._calls.kernel_refuse(count)

    def fatal(self, slot: int) -> bool:
        """Whether something happened that may end the connection."""
        return bool(self._calls.kernel_fatal(slot))

    def moves(self) -> int:
        """How many calls could have moved bytes of an armed descriptor, since the beginning."""
        return int(self._calls.kernel_moves())

    def turns(self) -> int:
        """How many waits told of something, since the beginning."""
        return int(self._calls.kernel_turns())

    def done(self) -> dict[str, int]:
        """How often what was done, in this process."""
        return {name: self._calls.kernel_done(kind) for kind, name in enumerate(KINDS)}
