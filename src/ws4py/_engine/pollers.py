"""Waiting for many descriptors: epoll, kqueue, select, and whatever a program brings.

Descriptors and readiness only. The methods ``register``, ``unregister``, ``poll``
and ``release`` are those of ws4py 0.6; ``modify`` and ``wait`` are what the loop
uses, and :func:`adapt` gives them to a poller that has only the old four.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterable
from typing import Any, Protocol

__all__ = [
    "BROKEN",
    "READ",
    "WRITE",
    "EPollPoller",
    "KQueuePoller",
    "LoopPoller",
    "SelectPoller",
    "adapt",
    "default_poller",
]

READ = 1
WRITE = 2
#: Both directions are gone; reported whether asked for or not.
BROKEN = 4

_DEFAULT_TIMEOUT = 0.1


class LoopPoller(Protocol):
    """What the loop needs of a poller; used from the loop's thread only."""

    def register(self, fd: int) -> None:
        """Wait for ``fd`` to become readable."""

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events of a registered descriptor."""

    def unregister(self, fd: int) -> None:
        """Forget ``fd``; one that is unknown is no error."""

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Return what is ready, within ``timeout`` seconds (``None``: no limit)."""

    def release(self) -> None:
        """Free what the poller holds."""


class _Poller:
    """What ours have in common.

    :param timeout: seconds that :meth:`poll` waits.
    """

    def __init__(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        self.timeout = timeout

    def poll(self) -> list[int]:
        """Return the readable descriptors, after :attr:`timeout` seconds at the most."""
        return [fd for fd, events in self.wait(self.timeout) if events & (READ | BROKEN)]

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """See :meth:`LoopPoller.wait`."""
        raise NotImplementedError


class SelectPoller(_Poller):
    """``select.poll`` where there is one, so no limit at descriptor 1024, else ``select``.

    Works everywhere; its cost grows with the number of descriptors.
    """

    def __init__(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        super().__init__(timeout)
        self._interest: dict[int, int] = {}

    def release(self) -> None:
        """Forget every descriptor."""
        self._interest.clear()

    def register(self, fd: int) -> None:
        """Wait for ``fd`` to become readable."""
        self._interest[fd] = READ

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events of ``fd``."""
        self._interest[fd] = events

    def unregister(self, fd: int) -> None:
        """Forget ``fd``."""
        self._interest.pop(fd, None)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """See :meth:`LoopPoller.wait`."""
        if not hasattr(select, "poll"):  # pragma: no cover - Windows
            return self._select(timeout)
        poller = select.poll()
        for fd, events in self._interest.items():
            poller.register(fd, _poll_mask(events))
        ready = poller.poll(None if timeout is None else timeout * 1000)
        return [(fd, _from_poll(mask)) for fd, mask in ready]

    def _select(self, timeout: float | None) -> list[tuple[int, int]]:
        readers = [fd for fd, events in self._interest.items() if events & READ]
        writers = [fd for fd, events in self._interest.items() if events & WRITE]
        readable, writable, _ = select.select(readers, writers, [], timeout)
        ready = dict.fromkeys(readable, READ)
        for fd in writable:
            ready[fd] = ready.get(fd, 0) | WRITE
        return list(ready.items())


class EPollPoller(_Poller):
    """Linux's epoll, level-triggered."""

    def __init__(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        super().__init__(timeout)
        self.poller = select.epoll()

    def release(self) -> None:
        """Close the epoll descriptor; the next :meth:`register` opens another."""
        self.poller.close()

    def register(self, fd: int) -> None:
        """Wait for ``fd`` to become readable."""
        if self.poller.closed:
            self.poller = select.epoll()
        try:
            self.poller.register(fd, select.EPOLLIN)
        except FileExistsError:
            # A descriptor that was closed behind our back and whose number came again.
            self.poller.modify(fd, select.EPOLLIN)

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events of ``fd``."""
        self.poller.modify(fd, _poll_mask(events))

    def unregister(self, fd: int) -> None:
        """Forget ``fd``."""
        # Closing a descriptor takes it out of an epoll by itself.
        with contextlib.suppress(OSError, ValueError):
            self.poller.unregister(fd)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """See :meth:`LoopPoller.wait`."""
        return [(fd, _from_poll(mask)) for fd, mask in self.poller.poll(timeout)]


class KQueuePoller(_Poller):
    """The kqueue of BSD and macOS, level-triggered.

    :raises NotImplementedError: the system has none.
    """

    _MAX_EVENTS = 1024

    def __init__(self, timeout: float = _DEFAULT_TIMEOUT) -> None:
        super().__init__(timeout)
        self._make: Any = getattr(select, "kqueue", None)
        if self._make is None:
            raise NotImplementedError("this system has no kqueue: use EPollPoller or SelectPoller")
        self.poller: Any = self._make()
        self._interest: dict[int, int] = {}

    def release(self) -> None:
        """Close the kqueue; the next :meth:`register` opens another."""
        self.poller.close()
        self._interest.clear()

    def register(self, fd: int) -> None:
        """Wait for ``fd`` to become readable."""
        if self.poller.closed:
            self.poller = self._make()
        self._interest[fd] = 0
        self.modify(fd, READ)

    def modify(self, fd: int, events: int) -> None:
        """Wait for other events of ``fd``."""
        before, self._interest[fd] = self._interest[fd], events
        for event, name in ((READ, "KQ_FILTER_READ"), (WRITE, "KQ_FILTER_WRITE")):
            if (before ^ events) & event:
                flag = "KQ_EV_ADD" if events & event else "KQ_EV_DELETE"
                self._control(fd, name, flag)

    def unregister(self, fd: int) -> None:
        """Forget ``fd``."""
        if fd in self._interest:
            with contextlib.suppress(OSError):
                self.modify(fd, 0)
            del self._interest[fd]

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """See :meth:`LoopPoller.wait`."""
        read_filter = getattr(select, "KQ_FILTER_READ", None)
        ready: dict[int, int] = {}
        for event in self.poller.control(None, self._MAX_EVENTS, timeout):
            bit = READ if event.filter == read_filter else WRITE
            ready[event.ident] = ready.get(event.ident, 0) | bit
        return list(ready.items())

    def _control(self, fd: int, kind: str, flag: str) -> None:
        make: Any = getattr(select, "kevent", None)
        self.poller.control([make(fd, getattr(select, kind), getattr(select, flag))], 0)


class _OldPoller:
    """A poller with the four methods of 0.6, made to serve the loop.

    It cannot wait for a descriptor to become writable, so while somebody wants to
    write, that is tried after each of its waits.
    """

    def __init__(self, poller: Any) -> None:
        self._poller = poller
        self._writers: set[int] = set()
        self.register = poller.register
        self.release = poller.release

    def modify(self, fd: int, events: int) -> None:
        (self._writers.add if events & WRITE else self._writers.discard)(fd)

    def unregister(self, fd: int) -> None:
        self._writers.discard(fd)
        self._poller.unregister(fd)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        ready = dict.fromkeys(self._poll(), READ)
        for fd in self._writers:
            ready[fd] = ready.get(fd, 0) | WRITE
        return list(ready.items())

    def _poll(self) -> Iterable[int]:
        found: Iterable[int] | None = self._poller.poll()
        return found or ()


def adapt(poller: Any) -> LoopPoller:
    """Make any poller fit for the loop."""
    new = hasattr(poller, "wait") and hasattr(poller, "modify")
    adapted: LoopPoller = poller if new else _OldPoller(poller)
    return adapted


def default_poller() -> LoopPoller:
    """The best poller of this system."""
    if hasattr(select, "epoll"):
        return EPollPoller()
    if hasattr(select, "kqueue"):  # pragma: no cover - BSD and macOS
        return KQueuePoller()
    return SelectPoller()  # pragma: no cover - neither


def _poll_mask(events: int) -> int:
    return (select.POLLIN if events & READ else 0) | (select.POLLOUT if events & WRITE else 0)


def _from_poll(mask: int) -> int:
    events = READ if mask & select.POLLIN else 0
    if mask & select.POLLOUT:
        events |= WRITE
    if mask & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
        events |= BROKEN
    return events
