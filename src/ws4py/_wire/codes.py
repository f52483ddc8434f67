"""Opcodes, reserved bits, close codes and versions: the numbers of RFC 6455.

Only numbers and the rule which close codes may travel.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABNORMAL_CLOSURE",
    "BAD_GATEWAY",
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "INVALID_PAYLOAD",
    "MANDATORY_EXTENSION",
    "MAX_CONTROL_PAYLOAD",
    "MESSAGE_TOO_BIG",
    "NORMAL_CLOSURE",
    "NO_STATUS_RECEIVED",
    "PING",
    "POLICY_VIOLATION",
    "PONG",
    "PROTOCOL_ERROR",
    "RSV1",
    "RSV2",
    "RSV3",
    "SERVICE_RESTART",
    "TEXT",
    "TRY_AGAIN_LATER",
    "UNSUPPORTED_DATA",
    "WS_KEY",
    "WS_VERSION",
    "may_travel",
]

#: What the server appends to the client's key before hashing it (section 1.3).
WS_KEY: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#: The versions of the protocol that a server accepts: 13 is RFC 6455, 8 the last
#: draft before it, whose frames are the same.
WS_VERSION: Final = (8, 13)

# Section 5.2, "Opcode". 0x3-0x7 and 0xB-0xF are reserved.
CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

# Section 5.2, "RSV1, RSV2, RSV3", as they stand in a frame's first byte.
RSV1: Final = 0x40
RSV2: Final = 0x20
RSV3: Final = 0x10

# Section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
MAX_CONTROL_PAYLOAD: Final = 125

# Section 7.4.1.
NORMAL_CLOSURE: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
NO_STATUS_RECEIVED: Final = 1005
ABNORMAL_CLOSURE: Final = 1006
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008
MESSAGE_TOO_BIG: Final = 1009
MANDATORY_EXTENSION: Final = 1010
INTERNAL_ERROR: Final = 1011
# Registered with IANA after the RFC (section 11.7 keeps that registry).
SERVICE_RESTART: Final = 1012
TRY_AGAIN_LATER: Final = 1013
BAD_GATEWAY: Final = 1014

_DEFINED: Final = frozenset(
    (
        NORMAL_CLOSURE,
        GOING_AWAY,
        PROTOCOL_ERROR,
        UNSUPPORTED_DATA,
        INVALID_PAYLOAD,
        POLICY_VIOLATION,
        MESSAGE_TOO_BIG,
        MANDATORY_EXTENSION,
        INTERNAL_ERROR,
        SERVICE_RESTART,
        TRY_AGAIN_LATER,
        BAD_GATEWAY,
    )
)


def may_travel(code: int) -> bool:
    """Tell whether ``code`` may stand in a close frame.

    1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control
    frame" (section 7.4.1); what is below 3000 and not registered is reserved
    for the protocol, 3000 to 4999 are for libraries and applications (7.4.2).
    """
    return code in _DEFINED or 3000 <= code <= 4999
