"""The closing handshake as a table (RFC 6455 sections 5.5.1, 7.1.2 to 7.1.6).

Rules of the house:

1. Whatever changes the state of a connection is a row of :data:`TRANSITIONS`.
2. A pair that is not in the table is a programming error, not a peer's fault.
3. The state says what may be *sent*: data and pings in ``OPEN`` only; one close
   frame in ``OPEN`` or ``CLOSE_RECEIVED``; nothing afterwards.

::

                    ┌────────────── LOSE ──────────────┐
                    │                                  ▼
    OPEN ──SEND_CLOSE────► CLOSE_SENT ─RECEIVE_CLOSE─► CLOSED
     │                         │                        ▲
     ├─RECEIVE_CLOSE─► CLOSE_RECEIVED ──SEND_CLOSE──────┤
     │                                                  │
     └─FAIL──────────► FAILING ─────────SEND_CLOSE──────┘
"""

from __future__ import annotations

import enum

__all__ = ["CLOSED", "CLOSE_RECEIVED", "CLOSE_SENT", "FAILING", "OPEN", "TRANSITIONS", "Act"]
__all__ += ["State"]


class State(enum.Enum):
    """Where a connection stands; constants of the same names are in this module."""

    OPEN = "open"
    CLOSE_SENT = "close sent"
    CLOSE_RECEIVED = "close received"
    FAILING = "failing"
    CLOSED = "closed"


class Act(enum.Enum):
    """What moves a connection from one state to the next."""

    SEND_CLOSE = "send close"
    RECEIVE_CLOSE = "receive close"
    FAIL = "fail"
    LOSE = "lose"


OPEN = State.OPEN
CLOSE_SENT = State.CLOSE_SENT
CLOSE_RECEIVED = State.CLOSE_RECEIVED
FAILING = State.FAILING
CLOSED = State.CLOSED

TRANSITIONS: dict[tuple[State, Act], State] = {
    # Section 7.1.2, _Start the WebSocket Closing Handshake_.
    (OPEN, Act.SEND_CLOSE): CLOSE_SENT,
    (CLOSE_SENT, Act.RECEIVE_CLOSE): CLOSED,
    # Section 5.5.1: "If an endpoint receives a Close frame and did not previously
    # send a Close frame, the endpoint MUST send a Close frame in response."
    (OPEN, Act.RECEIVE_CLOSE): CLOSE_RECEIVED,
    (CLOSE_RECEIVED, Act.SEND_CLOSE): CLOSED,
    # Section 7.1.7, _Fail the WebSocket Connection_: a close frame says why, and
    # the peer's answer is not waited for.
    (OPEN, Act.FAIL): FAILING,
    (FAILING, Act.SEND_CLOSE): CLOSED,
    # Our close frame is out already, so there is nothing left to say.
    (CLOSE_SENT, Act.FAIL): CLOSED,
    # The TCP connection ended, or its owner gave it up (section 7.1.1).
    (OPEN, Act.LOSE): CLOSED,
    (CLOSE_SENT, Act.LOSE): CLOSED,
    (CLOSE_RECEIVED, Act.LOSE): CLOSED,
    (FAILING, Act.LOSE): CLOSED,
    (CLOSED, Act.LOSE): CLOSED,
}
