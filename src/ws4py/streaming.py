"""``websocket.stream``: the protocol state of a connection under its 0.6 name.

A :class:`Stream` is what a :class:`~ws4py.websocket.WebSocket` holds its
:class:`~ws4py.protocol.connection.Connection` in, and a maker of messages. A
program that reconnects puts a new one in its place. It does no I/O.
"""

from __future__ import annotations

from typing import Any

from ws4py._wire.extension import MessageExtension
from ws4py.messaging import (
    BinaryMessage,
    CloseControlMessage,
    PingControlMessage,
    PongControlMessage,
    TextMessage,
)
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.limits import Limits

__all__ = ["Stream"]


class Stream:
    """The state of one connection.

    :param always_mask: mask what is sent, as a client must.
    :param expect_masking: refuse what the peer sends unmasked, as a server must.
    :param limits: what the peer may make us hold.
    :param extension: what the opening handshake negotiated.
    """

    def __init__(
        self,
        always_mask: bool = False,
        expect_masking: bool = True,
        limits: Limits | None = None,
        extension: MessageExtension | None = None,
    ) -> None:
        self.connection = Connection(
            CLIENT if always_mask else SERVER, limits or Limits(), extension
        )
        self.expect_masking = expect_masking
        #: Set when the connection has been given up; see ``WebSocket.terminate``.
        self.ended = False

    @property
    def always_mask(self) -> bool:
        """Whether what is sent is masked."""
        return self.connection.mask_outgoing

    @always_mask.setter
    def always_mask(self, value: bool) -> None:
        self.connection.mask_outgoing = value

    @property
    def expect_masking(self) -> bool:
        """Whether the peer has to mask."""
        return self.connection.expect_mask

    @expect_masking.setter
    def expect_masking(self, value: bool) -> None:
        self.connection.expect_mask = value

    @property
    def extension(self) -> MessageExtension | None:
        """What the opening handshake negotiated; set before the first byte comes or goes."""
        return self.connection.extension

    @extension.setter
    def extension(self, value: MessageExtension | None) -> None:
        self.connection.extension = value

    @property
    def closing(self) -> CloseControlMessage | None:
        """The peer's close frame, once it has been received."""
        close = self.connection.close_received
        return None if close is None else CloseControlMessage(close.code, close.reason)

    def text_message(self, text: Any) -> TextMessage:
        """Return a text message."""
        return TextMessage(text)

    def binary_message(self, data: Any) -> BinaryMessage:
        """Return a binary message."""
        return BinaryMessage(data)

    def close(self, code: int = 1000, reason: str | bytes = "") -> CloseControlMessage:
        """Return a close frame's content; nothing is sent.

        :raises ValueError: a code that may not be sent.
        """
        return CloseControlMessage(code, reason)

    def ping(self, data: Any = "") -> bytes:
        """Return a ping frame; nothing is sent."""
        return PingControlMessage(data).single(mask=self.always_mask)

    def pong(self, data: Any = "") -> bytes:
        """Return a pong frame; nothing is sent."""
        return PongControlMessage(data).single(mask=self.always_mask)
