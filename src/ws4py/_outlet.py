"""What a connection asks of whoever owns its socket: a manager's loop, for example.

Only the shape, so that :mod:`ws4py.websocket` need not know any loop.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Outlet"]


class Outlet(Protocol):
    """Where bytes leave while somebody else's loop owns the socket."""

    #: Writing has failed; nothing can be sent any more.
    broken: bool

    def write(self, data: bytes) -> None:
        """Queue bytes; called under the connection's lock, never blocks."""

    def hold(self) -> None:
        """Several messages are about to be answered: replies may leave together."""

    def narrow(self) -> None:
        """Something is about to be written that no other message may overtake or follow:
        let none out but by :meth:`write`.
        """

    def widen(self) -> None:
        """It has been written."""

    def expect_end(self) -> None:
        """Our close frame is out: the end has to come within ``close_timeout``."""

    def retire(self) -> bool:
        """The connection is to end. ``True``: the caller completes it now, nobody
        else will; ``False``: the owner's own thread is going to.
        """

    def abandon(self) -> None:
        """Close the socket, or have it closed, without any closing handshake."""
