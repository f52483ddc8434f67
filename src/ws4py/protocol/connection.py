"""One open WebSocket connection without its socket: bytes in, events out, bytes out.

It decides what a received frame means and what may be sent. It does not read,
write, wait, log or call anybody.

Reading and sending are two halves. :meth:`Connection.receive` belongs to the one
lane that reads; everything else changes what is sent and has to be serialised by
the owner (:class:`ws4py.websocket.WebSocket` holds its lock). An answer to an
event is made by :meth:`Connection.respond`, which is called when everything
before that event has been dealt with: a message that arrives in one piece with a
close frame can then still be answered before the closing handshake goes on.
"""

from __future__ import annotations

import enum
import os
import sys

from ws4py._wire.closing import Close, build_close_payload, parse_close_payload
from ws4py._wire.codec import FAILED, MessageReader, build_frame
from ws4py._wire.codes import (
    ABNORMAL_CLOSURE,
    CLOSE,
    CONTINUATION,
    INTERNAL_ERROR,
    MAX_CONTROL_PAYLOAD,
    PING,
    PONG,
    TEXT,
)
from ws4py._wire.extension import MessageExtension
from ws4py._wire.octets import Utf8Checker, check_text
from ws4py.exc import ConnectionClosed, ProtocolException, TextFrameEncodingException
from ws4py.protocol.limits import Limits
from ws4py.protocol.prepared import PreparedMessage
from ws4py.protocol.state import CLOSED, OPEN, TRANSITIONS, Act, State

__all__ = ["CLIENT", "SERVER", "Connection", "Event", "Role"]

#: What :meth:`Connection.receive` returns: an opcode (or ``FAILED``) and a payload.
Event = tuple[int, bytes]

_KEY_SIZE = 4
_DEFAULT_LIMITS = Limits()


class Role(enum.Enum):
    """Which end of the connection this is: clients mask, servers do not (section 5.1)."""

    CLIENT = "client"
    SERVER = "server"


CLIENT = Role.CLIENT
SERVER = Role.SERVER


class Connection:
    """The protocol state of one end of an open connection.

    :param role: which end this is.
    :param limits: what the peer may make us hold.
    :param extension: what the opening handshake negotiated, or ``None``.
    """

    # There is one for each websocket.
    __slots__ = (
        "_extension",
        "_fragmented_text",
        "_fragmenting",
        "_reader",
        "_waiting",
        "close_received",
        "close_sent",
        "mask_outgoing",
        "state",
    )

    def __init__(
        self,
        role: Role,
        limits: Limits = _DEFAULT_LIMITS,
        extension: MessageExtension | None = None,
    ) -> None:
        # -- Reading half: touched by the reading lane only.
        self._reader = MessageReader(
            role is SERVER,
            limits.max_message_size,
            limits.max_frame_size,
            limits.max_fragments,
            extension,
        )

        # -- Sending half: touched under the owner's lock.
        self.mask_outgoing = role is CLIENT
        self._extension = extension
        self._fragmenting = False
        self._fragmented_text: Utf8Checker | None = None
        self._waiting: list[bytes] = []

        # -- Closing handshake.
        self.state: State = OPEN
        self.close_sent: Close | None = None
        self.close_received: Close | None = None

    @property
    def plain(self) -> bool:
        """Whether a whole message is sent as one unmasked frame, and nothing has to come first."""
        special = self._fragmenting or self.mask_outgoing or self._extension is not None
        return self.state is OPEN and not special

    @property
    def limits(self) -> Limits:
        """What the peer may make us hold; set before the first byte comes."""
        reader = self._reader
        return Limits(reader.max_message_size, reader.max_frame_size, reader.max_fragments)

    @limits.setter
    def limits(self, value: Limits) -> None:
        reader = self._reader
        reader.max_message_size = value.max_message_size
        reader.max_frame_size = value.max_frame_size
        reader.max_fragments = value.max_fragments

    @property
    def expect_mask(self) -> bool:
        """Whether the peer has to mask its frames; a test tool may change it."""
        return self._reader.expect_mask

    @expect_mask.setter
    def expect_mask(self, value: bool) -> None:
        self._reader.expect_mask = value

    @property
    def extension(self) -> MessageExtension | None:
        """What the opening handshake negotiated; set before the first byte comes or goes."""
        return self._extension

    @extension.setter
    def extension(self, value: MessageExtension | None) -> None:
        self._extension = self._reader.extension = value

    @property
    def violation(self) -> ProtocolException | None:
        """What the peer did wrong, once it has."""
        return self._reader.violation

    @property
    def buffered(self) -> int:
        """Bytes held for a message that is not complete yet."""
        return self._reader.buffered

    @property
    def largest_message(self) -> int:
        """Bytes of the largest message in one frame that the limits let in."""
        limits = (self._reader.max_message_size, self._reader.max_frame_size)
        return min((each for each in limits if each is not None), default=sys.maxsize)

    @property
    def at_rest(self) -> bool:
        """Whether the next byte to be received begins a message."""
        return self._reader.at_rest

    @property
    def reading_done(self) -> bool:
        """Nothing that the peer still sends is of interest."""
        return self._reader.done

    @property
    def close_code(self) -> int:
        """The connection close code of section 7.1.5: what the peer said, or 1006."""
        return self.close_received.code if self.close_received else ABNORMAL_CLOSURE

    # -- Receiving ---------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Take received bytes and return the events in them, in order.

        A close frame whose payload breaks the rules is an event ``FAILED``.
        """
        events = self._reader.feed(data)
        if self._reader.done and events and events[-1][0] == CLOSE:
            try:
                parse_close_payload(events[-1][1])
            except ProtocolException as violation:
                self._reader.refuse(violation)
                events[-1] = (FAILED, b"")
        return events

    def receive_few(self, most: int) -> None:
        """Have :meth:`receive` deal with no more than so many frames at a time."""
        self._reader.most = most

    def stop_receiving(self) -> None:
        """Receive nothing more, and forget what has been begun. Of the lane that reads."""
        self._reader.stop()

    def take_unread(self) -> bytes:
        """Return what :meth:`receive` has left aside, to be received again before all else."""
        return self._reader.take_unread()

    def respond(self, event: Event) -> bytes:
        """Note an event in the state and return the bytes that answer it, if any."""
        opcode, payload = event
        if opcode == PING:
            # Section 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a
            # Pong frame in response, unless it already received a Close frame."
            # After our own close frame nothing may be sent at all.
            return self._frame(PONG, payload) if self.state is OPEN else b""
        if opcode == CLOSE:
            return self._respond_to_close(payload)
        if opcode == FAILED:
            return self._respond_to_violation()
        return b""

    def _respond_to_close(self, payload: bytes) -> bytes:
        self.close_received = close = parse_close_payload(payload)
        if self.state is CLOSED:
            return b""
        self._do(Act.RECEIVE_CLOSE)
        if self.state is CLOSED:
            return b""
        # Section 5.5.1: "When sending a Close frame in response, the endpoint
        # typically echos the status code it received."
        return self._close_frame(build_close_payload(close.code))

    def _respond_to_violation(self) -> bytes:
        violation = self._reader.violation
        assert violation is not None
        if self.state is CLOSED:
            return b""
        self._do(Act.FAIL)
        if self.state is CLOSED:
            return b""
        return self._close_frame(build_close_payload(violation.code, violation.reason))

    # -- Sending -----------------------------------------------------------------

    def send_message(self, opcode: int, payload: bytes) -> bytes:
        """Return the frame of a whole text or binary message.

        While a fragmented message is being sent the frame is kept back and leaves
        with the last fragment (section 5.4), and nothing is returned now.

        :raises ConnectionClosed: the connection is not open.
        :raises ws4py.exc.TextFrameEncodingException: text that is not UTF-8.
        """
        self._check_open()
        if opcode == TEXT:
            check_text(payload)
        rsv = 0
        if self._extension is not None:
            encoded = self._extension.encode(opcode, payload)
            if encoded is not None:
                payload, rsv = encoded, self._extension.rsv
        return self._data(self._frame(opcode, payload, True, rsv))

    def send_prepared(self, message: PreparedMessage) -> bytes:
        """Return the frame of a message that many connections are sent; as :meth:`send_message`.

        It is the same object for all connections that can share it.
        """
        self._check_open()
        # A masked frame cannot be shared: section 5.3 wants a fresh key for each.
        frame = None if self.mask_outgoing else message.frame(self._extension)
        if frame is None:
            return self.send_message(message.opcode, message.data)
        return self._data(frame)

    def send_fragment(self, opcode: int, payload: bytes, first: bool, last: bool) -> bytes:
        """Return a frame of a fragmented message, opcode being that of the message.

        The caller keeps to one fragmented message at a time; see :attr:`fragmenting`.

        :raises ConnectionClosed: the connection is not open.
        :raises ws4py.exc.TextFrameEncodingException: text that is not UTF-8; the
            message cannot be completed any more.
        """
        self._check_open()
        if first:
            self._fragmented_text = Utf8Checker() if opcode == TEXT else None
        if self._fragmented_text is not None:
            try:
                self._fragmented_text.feed(payload, last)
            except ProtocolException as error:
                raise TextFrameEncodingException(error.reason) from None
        self._fragmenting = not last
        frame = self._frame(opcode if first else CONTINUATION, payload, last)
        if last and self._waiting:
            self._waiting.insert(0, frame)
            frame = b"".join(self._waiting)
            self._waiting = []
        return frame

    @property
    def held_back(self) -> int:
        """Bytes that wait for the last fragment of a message."""
        return sum(map(len, self._waiting))

    @property
    def fragmenting(self) -> bool:
        """Whether a fragmented message has been begun and not ended."""
        return self._fragmenting

    def send_ping(self, payload: bytes) -> bytes:
        """Return a ping frame; control frames may go between fragments.

        :raises ConnectionClosed: the connection is not open.
        :raises ValueError: ``payload`` is above 125 bytes.
        """
        return self._control(PING, payload)

    def send_pong(self, payload: bytes) -> bytes:
        """Return an unsolicited pong frame; the errors are those of :meth:`send_ping`."""
        return self._control(PONG, payload)

    def send_close(self, code: int, reason: str | bytes = "") -> bytes:
        """Return a close frame, or nothing when one has been sent before.

        :raises ValueError: a code that may not be sent.
        """
        payload = build_close_payload(code, reason)
        return self._close_frame(payload) if self.state is OPEN else b""

    def fail(self, code: int = INTERNAL_ERROR, reason: str = "") -> bytes:
        """Give the connection up for a reason of our own; return the close frame.

        Nothing is read afterwards and the peer's answer is not waited for.

        :raises ValueError: a code that may not be sent.
        """
        payload = build_close_payload(code, reason)
        self._reader.done = True
        if self.state is CLOSED:
            return b""
        self._do(Act.FAIL)
        return b"" if self.state is CLOSED else self._close_frame(payload)

    def lose(self) -> None:
        """Note that the TCP connection is gone or given up."""
        self._reader.done = True
        self._do(Act.LOSE)

    # -- Helpers -----------------------------------------------------------------

    def _do(self, act: Act) -> None:
        self.state = TRANSITIONS[self.state, act]

    def _check_open(self) -> None:
        if self.state is not OPEN:
            raise ConnectionClosed("Cannot send on a terminated websocket")

    def _data(self, frame: bytes) -> bytes:
        if not self._fragmenting:
            return frame
        self._waiting.append(frame)
        return b""

    def _control(self, opcode: int, payload: bytes) -> bytes:
        self._check_open()
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise ValueError("a control frame holds at most 125 bytes (RFC 6455 section 5.5)")
        return self._frame(opcode, payload)

    def _close_frame(self, payload: bytes) -> bytes:
        self.close_sent = parse_close_payload(payload)
        # A fragmented message will not be completed, so what waits for it cannot leave.
        self._waiting = []
        self._do(Act.SEND_CLOSE)
        return self._frame(CLOSE, payload)

    def _frame(self, opcode: int, payload: bytes, fin: bool = True, rsv: int = 0) -> bytes:
        # Section 5.3: "The masking key needs to be unpredictable", so a new one
        # from the system's generator for every frame.
        key = os.urandom(_KEY_SIZE) if self.mask_outgoing else None
        return build_frame(opcode, payload, fin, rsv, key)
