"""The payload of a close frame (RFC 6455 section 5.5.1), both directions.

It knows what such a payload may be, not when one is sent.
"""

from __future__ import annotations

from typing import NamedTuple

from ws4py._wire.codes import (
    INVALID_PAYLOAD,
    MAX_CONTROL_PAYLOAD,
    NO_STATUS_RECEIVED,
    PROTOCOL_ERROR,
    may_travel,
)
from ws4py.exc import ProtocolException

__all__ = ["Close", "build_close_payload", "parse_close_payload"]

_CODE_SIZE = 2
_MAX_REASON = MAX_CONTROL_PAYLOAD - _CODE_SIZE


class Close(NamedTuple):
    """Why a connection ends: a close code and a reason for people."""

    code: int
    reason: str


def parse_close_payload(payload: bytes) -> Close:
    """Read the payload of a received close frame.

    :raises ProtocolException: 1002 for a payload of one byte or a code that may
        not travel, 1007 for a reason that is not UTF-8.
    """
    if not payload:
        # Section 7.1.5: "If this Close control frame contains no status code,
        # _The WebSocket Connection Close Code_ is considered to be 1005."
        return Close(NO_STATUS_RECEIVED, "")
    if len(payload) < _CODE_SIZE:
        raise ProtocolException("a close frame's payload of one byte holds no code", PROTOCOL_ERROR)
    code = int.from_bytes(payload[:_CODE_SIZE], "big")
    if not may_travel(code):
        raise ProtocolException(f"close code {code} may not be sent", PROTOCOL_ERROR)
    try:
        reason = payload[_CODE_SIZE:].decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolException("close reason is not valid UTF-8", INVALID_PAYLOAD) from None
    return Close(code, reason)


def build_close_payload(code: int, reason: str | bytes = "") -> bytes:
    """Return the payload of a close frame to be sent.

    :param code: a close code; 1005 gives an empty payload, which is how "no
        status" travels.
    :param reason: at most 123 bytes of UTF-8 fit; what is longer is cut at a
        character's border rather than refused, since the reason often is an
        error text of unknown length.
    :raises ValueError: for a code that may not travel.
    """
    if code == NO_STATUS_RECEIVED:
        return b""
    if not may_travel(code):
        raise ValueError(f"close code {code} may not be sent in a close frame")
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    encoded = text.encode("utf-8", "replace")[:_MAX_REASON]
    return code.to_bytes(_CODE_SIZE, "big") + encoded.decode("utf-8", "ignore").encode("utf-8")
