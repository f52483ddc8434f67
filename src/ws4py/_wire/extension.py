"""What the codec asks of an extension that transforms messages (RFC 6455 section 9).

Only the shape: negotiation is in :mod:`ws4py.protocol.extensions`, an
implementation (permessage-deflate) is a module of its own.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["MessageExtension"]


class MessageExtension(Protocol):
    """A negotiated extension that owns reserved bits of a message's first frame."""

    #: The reserved bits that mark a message this extension has transformed.
    rsv: int

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
