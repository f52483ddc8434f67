"""The frame parser and the frame builder.

Bytes in, whole messages out, and the way back. The parser knows the rules that
one frame or one message can break; it knows neither the state of a connection
nor how to answer. It never raises for what a peer sent: it stops, and says why
in :attr:`MessageReader.violation`.

This file makes two modules: itself, and ``codec_c``, compiled, with the types that
``codec_c.pxd`` adds; :mod:`ws4py._wire.codec` is the one that runs. So it takes plain
``bytes`` and hands out plain tuples, and nobody subclasses what is in it.
"""

from __future__ import annotations

from io import BytesIO

from ws4py._wire.codes import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MAX_CONTROL_PAYLOAD,
    PING,
    POLICY_VIOLATION,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
)
from ws4py._wire.extension import MessageExtension
from ws4py._wire.octets import Utf8Checker, apply_mask
from ws4py.exc import (
    FrameTooLargeException,
    ProtocolException,
    UnsupportedFrameTypeException,
)

__all__ = [
    "FAILED",
    "MessageReader",
    "build_frame",
    "build_header",
]

#: Stands in the place of an opcode when the peer broke the rules (opcodes end at 0xF).
FAILED = 0x10

_FIN = 0x80
_RSV = 0x70
_MASKED = 0x80
_KEY_SIZE = 4
_LEN_16 = 126
_LEN_64 = 127
_MAX_LEN_16 = 0xFFFF
_MAX_LEN_64 = 0x7FFFFFFFFFFFFFFF
_DEFINED_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))

#: Inflated bytes from which on the rest of what was received has to wait: a read of some
#: kilobytes can become a thousand times as much.
_INFLATED_AT_ONCE = 1024 * 1024

_NO_LIMIT = 0x7FFFFFFF

#: First bytes of a frame that is a whole message, untouched by any extension.
_WHOLE_MESSAGE = frozenset((_FIN | TEXT, _FIN | BINARY))


def build_header(
    opcode: int, size: int, fin: bool = True, rsv: int = 0, key: bytes | None = None
) -> bytes:
    """Return the header of a frame, the masking key included (section 5.2).

    :param size: length of the payload in bytes.
    :param rsv: reserved bits as they stand in the first byte.
    :param key: masking key of four bytes, or ``None`` for an unmasked frame.
    """
    first = (_FIN if fin else 0) | rsv | opcode
    masked = 0 if key is None else _MASKED
    if size < _LEN_16:
        header = bytes((first, masked | size))
    elif size <= _MAX_LEN_16:
        header = bytes((first, masked | _LEN_16)) + size.to_bytes(2, "big")
    else:
        header = bytes((first, masked | _LEN_64)) + size.to_bytes(8, "big")
    return header if key is None else header + key


def build_frame(
    opcode: int, payload: bytes, fin: bool = True, rsv: int = 0, key: bytes | None = None
) -> bytes:
    """Return a whole frame; the parameters are those of :func:`build_header`."""
    header = build_header(opcode, len(payload), fin, rsv, key)
    return header + (payload if key is None else apply_mask(payload, key))


def _read_length(field: bytes) -> int:
    """Read an extended payload length of two or eight bytes (section 5.2)."""
    size = int.from_bytes(field, "big")
    if size > _MAX_LEN_64:
        # "the most significant bit MUST be 0"
        raise ProtocolException("frame length has its highest bit set", PROTOCOL_ERROR)
    if size < _LEN_16 or (size <= _MAX_LEN_16 and len(field) > 2):
        # "the minimal number of bytes MUST be used to encode the length"
        raise ProtocolException("frame length is not minimally encoded", PROTOCOL_ERROR)
    return size


def _read_whole(opcode: int, payload: bytes, key: bytes) -> bytes:
    """Unmask and check the payload of a frame that is a whole message."""
    if key:
        payload = apply_mask(payload, key)
    if opcode == TEXT and not payload.isascii():
        Utf8Checker().feed(payload, True)
    return payload


class MessageReader:
    """Turns received bytes, cut anywhere, into whole messages and control frames.

    Memory: what has arrived of one message, and at most one unfinished header or
    control frame beside it. A length is judged when its header is complete,
    before anything is set aside for it.

    Not thread-safe: one reader belongs to whoever reads the connection.

    :param expect_mask: whether the peer has to mask (a server's peer does) or
        must not (a client's).
    :param max_message_size: bytes in one message, ``None`` for no limit.
    :param max_frame_size: bytes in one frame, ``None`` for no limit of its own.
    :param max_fragments: frames in one message, empty ones included.
    :param extension: a negotiated extension, or ``None``.
    """

    def __init__(
        self,
        expect_mask: bool,
        max_message_size: int | None = None,
        max_frame_size: int | None = None,
        max_fragments: int | None = None,
        extension: MessageExtension | None = None,
    ) -> None:
        self.expect_mask = expect_mask
        self.max_message_size = max_message_size
        self.max_frame_size = max_frame_size
        self.max_fragments = max_fragments
        self.extension = extension
        #: What the peer did wrong, once it has.
        self.violation: ProtocolException | None = None
        #: No byte will be read any more: a close frame or a violation was the last.
        self.done = False
        #: How many frames :meth:`feed` may begin.
        self.most = _NO_LIMIT
        #: Received bytes wait to be parsed; see :meth:`take_unread`.
        self.paused = False

        # -- An unfinished header or control frame: at most 14 + 125 bytes.
        self._unparsed = b""

        # -- The message being received; opcode 0 while there is none.
        self._opcode = 0
        # None while it has no bytes, as in an idle connection.
        self._message: BytesIO | None = None
        self._fragments = 0
        self._wire_size = 0
        self._utf8: Utf8Checker | None = None
        self._decoding = False
        self._inflated = 0

        # -- The data frame being received.
        self._left = 0
        self._fin = False
        self._key = b""

    @property
    def buffered(self) -> int:
        """Bytes held for what is not complete yet."""
        return self._gathered() + len(self._unparsed)

    def _gathered(self) -> int:
        return 0 if self._message is None else self._message.tell()

    @property
    def at_rest(self) -> bool:
        """Whether the next byte begins a frame that begins a message."""
        return not (self._unparsed or self._opcode)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take received bytes; return what they complete, in order.

        Each item is ``(opcode, payload)``, opcode one of text, binary, close,
        ping, pong, or :data:`FAILED` as the last item when the peer broke a rule.
        """
        items: list[tuple[int, bytes]] = []
        self.paused = False
        self._inflated = 0
        if self._unparsed:
            data = self._unparsed + data
            self._unparsed = b""
        try:
            self._parse(data, items)
        except ProtocolException as violation:
            self.refuse(violation)
            items.append((FAILED, b""))
        return items

    def stop(self) -> None:
        """Read nothing more, and forget what has been begun."""
        self._stop()

    def take_unread(self) -> bytes:
        """Return what :meth:`feed` has left aside; it is to be fed again, before all else.

        The frames before it are so many, or have been inflated to so much, that others have a
        turn first.
        """
        if not self.paused:
            return b""
        unread, self._unparsed = self._unparsed, b""
        self.paused = False
        return unread

    def refuse(self, violation: ProtocolException) -> None:
        """Read nothing more, because of what the peer did wrong."""
        # Its frames hold the received bytes and this reader: a cycle that would
        # keep both in memory until somebody collects garbage.
        violation.__traceback__ = violation.__context__ = None
        self.violation = violation
        self._stop()

    def _stop(self) -> None:
        self.done = True
        # What was begun will never be completed.
        self._message = None
        self._unparsed = b""

    def _parse(self, data: bytes, items: list[tuple[int, bytes]]) -> None:
        position, size, frames = 0, len(data), 0
        while position < size and not self.done:
            full = frames >= self.most and not self._left
            if full or (items and self._inflated > _INFLATED_AT_ONCE):
                self._unparsed = data[position:]
                self.paused = True
                return
            if self._left:
                position = self._take_payload(data, position, items)
                continue
            after = self._take_frame(data, position, items)
            if after == position:
                self._unparsed = data[position:]
                return
            position = after
            frames += 1

    def _take_frame(self, data: bytes, start: int, items: list[tuple[int, bytes]]) -> int:
        """Read one frame's header and what there is to read behind it.

        Returns the position behind it, or ``start`` while the header (or a
        control frame) is incomplete.
        """
        available = len(data) - start
        if available < 2:
            return start
        first, second = data[start], data[start + 1]
        opcode = first & 0x0F
        size = second & 0x7F
        self._check_first_bytes(first, opcode, second)

        position = start + 2
        if size >= _LEN_16:
            width = 2 if size == _LEN_16 else 8
            if available < 2 + width:
                return start
            size = _read_length(data[position : position + width])
            position += width
        if opcode < CLOSE:
            # Judged as soon as the length is known, even before the masking key.
            self._check_limits(size)

        key = b""
        if self.expect_mask:
            key = data[position : position + _KEY_SIZE]
            position += _KEY_SIZE
            if len(data) < position:
                return start
        if opcode >= CLOSE:
            return self._take_control(data, start, position, size, key, items)
        # Compared so that no sum is larger than a machine's word, where this is compiled.
        if first in _WHOLE_MESSAGE and size <= len(data) - position:
            # The common case on a short way; it does nothing that the long one does not.
            end = position + size
            items.append((opcode, _read_whole(opcode, data[position:end], key)))
            return end
        self._begin_data(first, opcode, size, key)
        if not size and self._fin:
            self._finish_message(items, b"")
        return position

    def _check_first_bytes(self, first: int, opcode: int, second: int) -> None:
        if (second >= _MASKED) != self.expect_mask:
            # Section 5.1: "The server MUST close the connection upon receiving a
            # frame that is not masked." / "A client MUST close a connection if it
            # detects a masked frame." Empty frames are no exception.
            wrong = "is not masked" if self.expect_mask else "is masked"
            raise ProtocolException(f"frame {wrong}", PROTOCOL_ERROR)
        if opcode not in _DEFINED_OPCODES:
            # Section 5.2: "If an unknown opcode is received, the receiving endpoint
            # MUST _Fail the WebSocket Connection_."
            raise UnsupportedFrameTypeException(f"opcode {opcode:#x} is reserved", PROTOCOL_ERROR)
        rsv = first & _RSV
        if rsv and not self._owns(rsv, opcode):
            # Section 5.2: "MUST be 0 unless an extension is negotiated that defines
            # meanings for non-zero values."
            raise ProtocolException("a reserved bit is set", PROTOCOL_ERROR)
        if opcode >= CLOSE:
            # Section 5.5: "All control frames MUST have a payload length of 125
            # bytes or less and MUST NOT be fragmented."
            if not first & _FIN:
                raise ProtocolException("control frame is fragmented", PROTOCOL_ERROR)
            if second & 0x7F > MAX_CONTROL_PAYLOAD:
                raise ProtocolException("control frame above 125 bytes", PROTOCOL_ERROR)
        elif opcode == CONTINUATION:
            if not self._opcode:
                raise ProtocolException("continuation frame without a message", PROTOCOL_ERROR)
        elif self._opcode:
            # Section 5.4: "The fragments of one message MUST NOT be interleaved
            # between the fragments of another message"
            raise ProtocolException("new message inside a fragmented one", PROTOCOL_ERROR)

    def _owns(self, rsv: int, opcode: int) -> bool:
        """Whether the extension may set these bits: on a message's first frame only."""
        return self.extension is not None and rsv == self.extension.rsv and 0 < opcode < CLOSE

    def _check_limits(self, size: int) -> None:
        if self.max_frame_size is not None and size > self.max_frame_size:
            raise FrameTooLargeException(f"frame above max_frame_size {self.max_frame_size}")
        if self.max_message_size is not None and self._wire_size + size > self.max_message_size:
            raise FrameTooLargeException(f"message above max_message_size {self.max_message_size}")
        if self.max_fragments is not None and self._fragments >= self.max_fragments:
            raise ProtocolException(
                f"message above max_fragments {self.max_fragments}", POLICY_VIOLATION
            )

    def _take_control(
        self,
        data: bytes,
        start: int,
        position: int,
        size: int,
        key: bytes,
        items: list[tuple[int, bytes]],
    ) -> int:
        end = position + size
        if end > len(data):
            return start
        payload = data[position:end]
        opcode = data[start] & 0x0F
        items.append((opcode, apply_mask(payload, key) if key else payload))
        # Section 5.5.1: nothing that follows a close frame is to be read.
        if opcode == CLOSE:
            self._stop()
        return end

    def _begin_data(self, first: int, opcode: int, size: int, key: bytes) -> None:
        if opcode != CONTINUATION:
            self._opcode = opcode
            self._decoding = bool(first & _RSV)
            self._utf8 = Utf8Checker() if opcode == TEXT else None
        self._fragments += 1
        self._wire_size += size
        self._left = size
        self._fin = bool(first & _FIN)
        self._key = key

    def _take_payload(self, data: bytes, start: int, items: list[tuple[int, bytes]]) -> int:
        """Take as much of the current frame's payload as ``data`` has."""
        taken = min(self._left, len(data) - start)
        chunk = data[start : start + taken]
        self._left -= taken
        complete = self._fin and not self._left
        if self._key:
            chunk = apply_mask(chunk, self._key)
            if self._left:
                turn = taken % _KEY_SIZE
                self._key = self._key[turn:] + self._key[:turn]
        if complete:
            self._finish_message(items, chunk)
        else:
            self._append(chunk, False)
        return start + taken

    def _append(self, chunk: bytes, final: bool) -> bytes:
        """Add the next part to the message; hand back the part as it is decoded."""
        if self._decoding:
            chunk = self._decode(chunk, final)
        if self._utf8 is not None:
            self._utf8.feed(chunk, final)
        if not final and chunk:
            if self._message is None:
                self._message = BytesIO()
            self._message.write(chunk)
        return chunk

    def _decode(self, chunk: bytes, final: bool) -> bytes:
        assert self.extension is not None
        limit = self.max_message_size
        room = None if limit is None else limit - self._gathered()
        inflated = self.extension.decode(chunk, final, room)
        self._inflated += len(inflated)
        return inflated

    def _finish_message(self, items: list[tuple[int, bytes]], chunk: bytes) -> None:
        chunk = self._append(chunk, True)
        if self._message is not None:
            self._message.write(chunk)
            # Hands its buffer over; a bytearray would have to be copied.
            chunk = self._message.getvalue()
            self._message = None
        items.append((self._opcode, chunk))
        self._opcode = 0
        self._fragments = 0
        self._wire_size = 0
