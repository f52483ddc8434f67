"""Messages as handlers see them: what was received, and what can be sent.

The payload is always ``bytes`` in :attr:`Message.data`; text stays encoded until
somebody asks for ``str(message)``. A message holds no lock and no connection, so
it can be kept, copied and sent again from anywhere.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ws4py._twins import PURE
from ws4py._wire.closing import build_close_payload
from ws4py._wire.codec import build_frame
from ws4py._wire.codes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_CONTROL_PAYLOAD,
    NORMAL_CLOSURE,
    PING,
    PONG,
    TEXT,
)
from ws4py.exc import TextFrameEncodingException
from ws4py.protocol.prepared import PreparedMessage

__all__ = [
    "BinaryMessage",
    "CloseControlMessage",
    "Message",
    "PingControlMessage",
    "PongControlMessage",
    "PreparedMessage",
    "TextMessage",
    "prepare",
]

_KEY_SIZE = 4


class _Base:
    """Attributes and weak references, and nothing else."""

    __slots__ = ("__dict__", "__weakref__")


if not PURE:
    with contextlib.suppress(ImportError):
        from ws4py._messaging_c import Base as _Base  # type: ignore[assignment]  # its twin


class Message(_Base):
    """A message of any kind.

    :param opcode: see RFC 6455 section 5.2.
    :param data: the payload; text is encoded with ``encoding``.
    :param encoding: how text becomes bytes; ``None`` for binary messages.
    :raises TypeError: the payload is of another type, or text without an encoding.
    """

    # A loop fills this one for each message that it receives. Everything else goes to `__dict__`.
    __slots__ = ("data",)

    data: bytes
    # A loop makes received messages without a call of the constructor, so what is the same
    # for all of them has its value here.
    opcode: int
    encoding: str | None = "utf-8"
    _completed = True

    def __init__(self, opcode: int, data: Any = b"", encoding: str | None = "utf-8") -> None:
        self.opcode = opcode
        self.encoding = encoding
        self._completed = False
        self.data = self._to_bytes(data)

    def _to_bytes(self, data: Any) -> bytes:
        if isinstance(data, str):
            if self.encoding is None:
                raise TypeError("text without an encoding; pass bytes")
            return data.encode(self.encoding)
        if isinstance(data, (bytes, bytearray, memoryview)):
            return bytes(data)
        raise TypeError(f"{type(data).__name__} is not a supported message data type")

    @property
    def is_text(self) -> bool:
        """Whether this is a text message."""
        return self.opcode == TEXT

    @property
    def is_binary(self) -> bool:
        """Whether this is a binary message."""
        return self.opcode == BINARY

    @property
    def completed(self) -> bool:
        """Whether the whole message is there."""
        return self._completed

    @completed.setter
    def completed(self, state: bool) -> None:
        self._completed = state

    def extend(self, data: Any) -> None:
        """Add to the payload.

        :raises TypeError: as the constructor does.
        """
        self.data += self._to_bytes(data)

    def single(self, mask: bool = False) -> bytes:
        """Return the message as one frame.

        :param mask: whether to mask it, with a new random key; clients have to.
        :raises ValueError: a control message above 125 bytes.
        """
        return self._frame(self.opcode, True, mask)

    def fragment(self, first: bool = False, last: bool = False, mask: bool = False) -> bytes:
        """Return the message as one frame of a longer message (section 5.4).

        :param first: it is the first frame and carries the opcode.
        :param last: it is the last frame and sets FIN.
        """
        return self._frame(self.opcode if first else CONTINUATION, last, mask)

    def _frame(self, opcode: int, fin: bool, mask: bool) -> bytes:
        if self.opcode >= CLOSE and len(self.data) > MAX_CONTROL_PAYLOAD:
            raise ValueError("a control frame holds at most 125 bytes (RFC 6455 section 5.5)")
        return build_frame(opcode, self.data, fin, 0, os.urandom(_KEY_SIZE) if mask else None)

    def __len__(self) -> int:
        if self.is_text and self.encoding is not None:
            return len(self.data.decode(self.encoding))
        return len(self.data)

    def __str__(self) -> str:
        if self.encoding is None:
            return f"<{type(self).__name__} of {len(self.data)} bytes>"
        return self.data.decode(self.encoding)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.data)} bytes>"


class TextMessage(Message):
    """A text message; ``len()`` counts characters, ``str()`` decodes."""

    opcode = TEXT
    is_text = True
    is_binary = False

    def __init__(self, text: Any = "") -> None:
        # Its other attributes are the class's.
        self._completed = False
        self.data = self._to_bytes(text)


class BinaryMessage(Message):
    """A binary message; ``len()`` counts bytes, :attr:`encoding` is ``None``."""

    opcode = BINARY
    encoding = None
    is_text = False
    is_binary = True

    def __init__(self, data: Any = b"") -> None:
        self._completed = False
        self.data = self._to_bytes(data)


class CloseControlMessage(Message):
    """A close frame's content.

    :param code: the close code.
    :param reason: text or UTF-8 bytes; kept as bytes in :attr:`reason`.
    :raises ValueError: a code that may not be sent.
    """

    def __init__(self, code: int = NORMAL_CLOSURE, reason: str | bytes = "") -> None:
        super().__init__(CLOSE, build_close_payload(code, reason))
        self.code = code
        self.reason: bytes = self.data[2:]

    def __str__(self) -> str:
        return self.reason.decode("utf-8", "replace")


class PingControlMessage(Message):
    """A ping with up to 125 bytes of payload."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(PING, b"" if data is None else data)


class PongControlMessage(Message):
    """A pong with up to 125 bytes of payload."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(PONG, b"" if data is None else data)


def received(opcode: int, data: bytes) -> Message:
    """Make a text or binary message of what has arrived, without a look at it, as the lane does."""
    kind: type[Message] = TextMessage if opcode == TEXT else BinaryMessage
    message = kind.__new__(kind)
    message.data = data
    return message


def prepare(message: Any, binary: bool = False) -> PreparedMessage:
    """Make a message that is to be sent to many peers, so that the work is done once.

    Each ``websocket.send()`` takes it; a manager's ``broadcast`` makes one by itself.

    :param message: text, bytes, or a text or binary :class:`Message`.
    :param binary: whether text or bytes make a binary message.
    :raises ws4py.exc.TextFrameEncodingException: text that is not UTF-8.
    :raises TypeError: anything else.
    """
    if not isinstance(message, Message):
        message = BinaryMessage(_encoded(message)) if binary else TextMessage(_encoded(message))
    if message.opcode not in (TEXT, BINARY):
        raise TypeError("only text and binary messages can be prepared")
    return PreparedMessage(message.opcode, message.data)


def _encoded(payload: Any) -> Any:
    if not isinstance(payload, str):
        return payload
    try:
        return payload.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TextFrameEncodingException(f"text cannot be UTF-8: {error}") from None
