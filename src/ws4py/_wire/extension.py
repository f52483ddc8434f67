"""What the codec asks of an extension that transforms messages (RFC 6455 section 9).

Only the shape: negotiation is in :mod:`ws4py.protocol.extensions`, the
implementation of permessage-deflate is :mod:`ws4py.protocol.deflate`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

__all__ = ["MessageExtension"]


class MessageExtension(Protocol):
    """A negotiated extension that owns reserved bits of a message's first frame."""

    #: The reserved bits that mark a message this extension has transformed.
    rsv: int

    @property
    def sharing_key(self) -> Hashable | None:
        """For messages to many: extensions with equal keys encode them to the same bytes.

        What one of them makes of a message may then be sent on the connections of
        all. ``None``: what is sent depends on what was sent before, so this
        connection's messages have to pass through :meth:`encode` one by one.
        """
        ...

    def decode(self, data: bytes, final: bool, limit: int | None) -> bytes:
        """Undo the transformation of the next part of a received message.

        :param data: unmasked bytes, in order.
        :param final: whether the message ends with them.
        :param limit: how many bytes may come out, judged *inside* the
            transformation; ``None`` for no limit.
        :raises ws4py.exc.ProtocolException: the data is broken, or above ``limit``.
        """
        ...

    def encode(self, opcode: int, payload: bytes) -> bytes | None:
        """Transform a whole message to be sent; ``None`` leaves it as it is."""
        ...
