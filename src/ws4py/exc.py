"""Every exception that ws4py raises, in one tree.

::

    WebSocketException
    ├── ProtocolException                 the peer broke RFC 6455; carries the close code
    │   ├── FrameTooLargeException        a length above what a limit allows
    │   ├── UnsupportedFrameTypeException an opcode nobody defined
    │   └── InvalidBytesError             bytes that are no frame
    ├── TextFrameEncodingException        text that is not valid UTF-8 (also a ValueError)
    ├── HandshakeError                    the opening handshake is refused; carries the HTTP status
    ├── ConnectionClosed                  a call on a connection that is closing or closed
    │                                     (also a RuntimeError)
    ├── WriteTimeout                      the peer does not read, so this was not sent
    │                                     (also a TimeoutError)
    └── StreamClosed                      the old name for a stream nobody can use any more

The names are those of ws4py 0.6; ``ConnectionClosed`` and ``WriteTimeout`` are new and
are those that :meth:`ws4py.websocket.WebSocket.send` raises.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ConnectionClosed",
    "FrameTooLargeException",
    "HandshakeError",
    "InvalidBytesError",
    "ProtocolException",
    "StreamClosed",
    "TextFrameEncodingException",
    "UnsupportedFrameTypeException",
    "WebSocketException",
    "WriteTimeout",
]


class WebSocketException(Exception):
    """The root: catching it catches everything that ws4py raises on purpose."""


class ProtocolException(WebSocketException):
    """The peer broke RFC 6455, or a limit of ours.

    :param reason: one sentence, which is also sent in the close frame.
    :param code: the close code that answers the violation (section 7.4.1).
    """

    def __init__(self, reason: str = "", code: int = 1002) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class FrameTooLargeException(ProtocolException):
    """A frame or message is longer than the configured limit (close code 1009)."""

    def __init__(self, reason: str = "", code: int = 1009) -> None:
        super().__init__(reason, code)


class UnsupportedFrameTypeException(ProtocolException):
    """An opcode that RFC 6455 section 5.2 reserves."""


class InvalidBytesError(ProtocolException):
    """Bytes that cannot be a frame."""


class TextFrameEncodingException(WebSocketException, ValueError):
    """A text message has to be UTF-8 (RFC 6455 section 5.6), and this one is not."""


class HandshakeError(WebSocketException):
    """The opening handshake is refused.

    :param msg: what is wrong, in words for the person who wrote the client.
    :param status: the HTTP status code that answers the request.
    :param headers: further response header fields as ``(name, value)`` pairs.
    """

    def __init__(
        self, msg: str = "", status: int = 400, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        # Not super(): a server's subclass has that server's own error beside this one.
        WebSocketException.__init__(self, msg)
        self.msg = msg
        self.status = status
        self.headers = list(headers)

    def __str__(self) -> str:
        return self.msg


class ConnectionClosed(WebSocketException, RuntimeError):
    """The connection is closing or closed, so nothing more can be sent on it."""


class WriteTimeout(WebSocketException, TimeoutError):
    """The peer has not read for ``write_timeout``; what was to be sent was not."""


class StreamClosed(WebSocketException):
    """Raised by programs that use a :class:`ws4py.streaming.Stream` of their own."""
