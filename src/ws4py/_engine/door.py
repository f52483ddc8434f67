"""How many connections one manager takes, in all and from one address.

It counts who is here and says why there is no room; refusing a request or closing a
connection is done by those who ask. It locks nothing: every method but :meth:`Door.refused`
is called under the lock of the books that it belongs to.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from ws4py._log import logger
from ws4py._transport import address_of
from ws4py.exc import HandshakeError

resource: Any
try:
    import resource
except ImportError:  # not on Windows
    resource = None

__all__ = ["Door", "Guest", "address_in", "descriptors_to_give", "peer_of"]

#: Of the open files that the system allows, those for everything that is no connection.
_SPARE_DESCRIPTORS = 64
_UNAVAILABLE = 503
#: When who was refused may come again.
_RETRY_SECONDS = 10
#: A flood of refusals is one line in this time.
_LOG_SECONDS = 10.0


class Guest:
    """Somebody who has come in and is not in the books yet."""

    __slots__ = ("address",)

    def __init__(self, address: str | None) -> None:
        self.address = address


class Door:
    """The count of those who are not in the books yet, and of each address if asked to.

    :param setting: what the limit of all connections is called.
    """

    def __init__(self, setting: str = "max_connections") -> None:
        self._setting = setting
        self._arriving: set[Guest] = set()
        # Both stay empty where nobody asks for a limit by address.
        self._from: Counter[str] = Counter()
        self._addresses: dict[Any, str] = {}
        # When each reason is to be logged again, and how often it was not.
        self._lines: dict[str, tuple[float, int]] = {}

    def full(
        self, here: int, most: int | None, by_address: int | None, address: str | None
    ) -> str | None:
        """Say why there is no room for one more; ``None`` when there is.

        :param here: how many are in the books.
        :param most: how many may be; ``None`` for as many as the system has descriptors.
        :param by_address: how many may be from one address, ``None`` for any number.
        :param address: the newcomer's, ``None`` or empty where it has none.
        """
        bound = descriptors_to_give() if most is None else most
        if bound is not None and here + len(self._arriving) >= bound:
            return f"{self._setting} {bound} is reached"
        if by_address is not None and address and self._from[address] >= by_address:
            return f"max_connections_per_address {by_address} is reached"
        return None

    def refused(self, reason: str, address: str | None) -> HandshakeError:
        """Log a refusal, unless that was done a moment ago, and return the answer to it."""
        now = time.monotonic()
        again, silent = self._lines.get(reason, (now, 0))
        if now < again:
            self._lines[reason] = again, silent + 1
        else:
            self._lines[reason] = now + _LOG_SECONDS, 0
            more = f", and {silent} more before" if silent else ""
            logger.warning("Turned away %s%s: %s", address or "a client", more, reason)
        return HandshakeError(reason, _UNAVAILABLE, [("Retry-After", str(_RETRY_SECONDS))])

    def enter(self, address: str | None) -> Guest:
        """Count somebody in; :meth:`stay` or :meth:`leave` has to follow.

        :param address: ``None`` for who is not to be counted by address.
        """
        guest = Guest(address)
        self._arriving.add(guest)
        if address:
            self._from[address] += 1
        return guest

    def stay(self, guest: Guest, entry: Any) -> None:
        """The guest is in the books now, as ``entry``; :meth:`left` has to follow."""
        self._arriving.discard(guest)
        if guest.address:
            self._addresses[entry] = guest.address

    def leave(self, guest: Guest) -> None:
        """The guest has gone, unless it stayed."""
        if guest in self._arriving:
            self._arriving.discard(guest)
            self._subtract(guest.address)

    def left(self, entry: Any) -> None:
        """An entry is no longer in the books. Calling it again has no effect."""
        if self._addresses:
            self._subtract(self._addresses.pop(entry, None))

    def _subtract(self, address: str | None) -> None:
        if address:
            self._from[address] -= 1
            if not self._from[address]:
                # Addresses come and go without end.
                del self._from[address]


def descriptors_to_give() -> int | None:
    """How many connections the limit of open files leaves room for; ``None``: any number."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(soft - _SPARE_DESCRIPTORS, 1)


def address_in(environ: Any) -> str | None:
    """The client's address by an environ, ``None`` without one: a Unix socket's client has none."""
    found = environ.get("REMOTE_ADDR") if isinstance(environ, dict) else None
    return found if isinstance(found, str) and found else None


def peer_of(websocket: Any) -> str | None:
    """The address that a websocket is counted by: that of its request, or of its socket."""
    found = address_in(getattr(websocket, "environ", None))
    if found is not None:
        return found
    try:
        peer = address_of(websocket.sock, "getpeername")
    except OSError:
        # It is gone already, which is soon found out.
        return None
    return str(peer[0]) if isinstance(peer, tuple) else None
