"""permessage-deflate (RFC 7692): what is agreed on, and the transformation, both roles.

:class:`PerMessageDeflate` is what a program writes into its configuration; it
negotiates. :class:`Deflate` is one connection's half of the agreement: it
compresses whole messages and inflates received ones as they come, never beyond
the limit it is given. No message is ever split or joined here, and a connection
that is idle holds a zlib object only where context takeover was agreed on.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ws4py._wire.codes import INVALID_PAYLOAD, RSV1
from ws4py.exc import FrameTooLargeException, HandshakeError, ProtocolException
from ws4py.protocol.fast_deflate import WORTHWHILE_FROM, fast_deflater
from ws4py.protocol.headers import Parameters

__all__ = ["NAME", "Deflate", "PerMessageDeflate"]

#: The registered name (section 7).
NAME = "permessage-deflate"

# Section 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive".
_MIN_BITS, _MAX_BITS = 8, 15
_BITS = {str(bits): bits for bits in range(_MIN_BITS, _MAX_BITS + 1)}

# Section 7.2.1: what a sender takes off the end of a message, and a receiver puts back.
_TAIL = b"\x00\x00\xff\xff"
# An empty block that is the last one: accepted only where a block may begin.
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
# zlib copies what stands behind the end of a stream, so behind one it is given little.
_STEP = 256


class _Terms(NamedTuple):
    """The four parameters of section 7.1; ``None`` for a window nobody spoke of."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    def parameters(self) -> Parameters:
        """Return them as they stand in a header field."""
        named = self._asdict().items()
        return [(name, None if value is True else str(value)) for name, value in named if value]


def _read(parameters: Parameters) -> _Terms:
    """Read an offer or an answer by section 7.1.

    :raises HandshakeError: a parameter is unknown, stands twice, or has a value
        that it cannot have.
    """
    terms: dict[str, Any] = {}
    for name, given in parameters:
        if name not in _Terms._fields or name in terms:
            raise HandshakeError(f"{NAME}: unknown or repeated parameter {name[:40]!r}")
        if name.endswith("takeover"):
            value: Any = given is None or None
        elif given is None and name.startswith("client"):
            # Section 7.1.2.2: without a value the client leaves the choice to the server.
            value = _MAX_BITS
        else:
            value = _BITS.get(given or "")
        if value is None:
            raise HandshakeError(f"{NAME}: {name} cannot be {(given or 'empty')[:40]!r}")
        terms[name] = value
    return _Terms(**terms)


@dataclass(frozen=True, kw_only=True)
class PerMessageDeflate:
    """How this end compresses, for ``extensions`` of a server or a client.

    Context takeover means that each message is compressed with the ones before it
    in view: messages get smaller, and each connection keeps the memory for it.

    :param server_no_context_takeover: the server forgets after each message.
    :param client_no_context_takeover: the client forgets after each message.
    :param server_max_window_bits: 8 to 15; how far back the server looks for
        repetitions is two to this power, in bytes.
    :param client_max_window_bits: the same for the client, where it lets us say so.
    :param level: 0 to 9; zlib's compression level of what we send.
    :param mem_level: 1 to 9; two to this power, times 512 bytes, are held to send.
    :param threshold: messages of fewer bytes are sent as they are.
    :raises ValueError: a value outside its range.
    """

    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = 12
    client_max_window_bits: int = 12
    level: int = 6
    mem_level: int = 5
    #: Below it a message shrinks by less than the headers of its packet.
    threshold: int = 256

    def __post_init__(self) -> None:
        for name, low, high in (
            ("server_max_window_bits", _MIN_BITS, _MAX_BITS),
            ("client_max_window_bits", _MIN_BITS, _MAX_BITS),
            ("level", 0, 9),
            ("mem_level", 1, 9),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} has to be {low} to {high}: {getattr(self, name)}")
        if self.threshold < 0:
            raise ValueError(f"threshold has to be 0 or more: {self.threshold}")

    @property
    def name(self) -> str:
        """The registered name."""
        return NAME

    def offer(self) -> Parameters:
        """Client: the parameters to send.

        The window of the server is named only to make it smaller, since not every
        server can; that of the client always, since it may only be answered then.
        """
        demanded = self.server_max_window_bits
        terms = _Terms(
            self.server_no_context_takeover,
            self.client_no_context_takeover,
            None if demanded == _MAX_BITS else demanded,
            self.client_max_window_bits,
        )
        return terms.parameters()

    def accept(self, offered: Parameters) -> tuple[Parameters, Deflate] | None:
        """Server: the answer to an offer and the extension, or ``None`` to decline.

        Section 5.1: an offer with a parameter that is not defined, or has a value
        that it cannot have, is declined; the next one may fit.
        """
        try:
            asked = _read(offered)
        except HandshakeError:
            return None
        # Either end may be told to forget and the server to look less far back, asked
        # or not; section 7.1.2.2: without "client_max_window_bits" in the offer it
        # "MUST NOT" be in the response, and the client's window is of any size.
        server_bits = min(self.server_max_window_bits, asked.server_max_window_bits or _MAX_BITS)
        named = asked.server_max_window_bits is not None or server_bits < _MAX_BITS
        client_bits = asked.client_max_window_bits and min(
            self.client_max_window_bits, asked.client_max_window_bits
        )
        agreed = _Terms(
            self.server_no_context_takeover or asked.server_no_context_takeover,
            self.client_no_context_takeover or asked.client_no_context_takeover,
            server_bits if named else None,
            client_bits,
        )
        ours = _Direction(server_bits, agreed.server_no_context_takeover)
        theirs = _Direction(client_bits or _MAX_BITS, agreed.client_no_context_takeover)
        return agreed.parameters(), Deflate(self, ours, theirs)

    def confirm(self, answered: Parameters) -> Deflate:
        """Client: the extension as the server answered it.

        :raises HandshakeError: section 5.1: an answer with invalid parameters, or
            one that does not grant what was demanded.
        """
        agreed = _read(answered)
        if ("client_max_window_bits", None) in answered:
            raise HandshakeError(f"{NAME}: client_max_window_bits was answered without a value")
        if self.server_no_context_takeover and not agreed.server_no_context_takeover:
            raise HandshakeError(f"{NAME}: server_no_context_takeover was not granted")
        server_bits = agreed.server_max_window_bits or _MAX_BITS
        if server_bits > self.server_max_window_bits:
            raise HandshakeError(
                f"{NAME}: server_max_window_bits={self.server_max_window_bits} was not granted"
            )
        # What we offered of ourselves we keep to, whatever the server made of it.
        client_bits = min(self.client_max_window_bits, agreed.client_max_window_bits or _MAX_BITS)
        forget = self.client_no_context_takeover or agreed.client_no_context_takeover
        theirs = _Direction(server_bits, agreed.server_no_context_takeover)
        return Deflate(self, _Direction(client_bits, forget), theirs)


class _Direction(NamedTuple):
    """What was agreed on for one direction."""

    bits: int
    forget: bool


class Deflate:
    """One connection's permessage-deflate.

    Sending and receiving share nothing, as in :class:`~ws4py.protocol.connection.Connection`.

    :param options: level, memory and threshold of what is sent.
    :param sending: what was agreed on for our messages.
    :param receiving: what was agreed on for the peer's.
    """

    __slots__ = ("_begun", "_deflater", "_inflater", "_options", "_receiving", "_sending")

    #: Section 6: "RSV1 [...] the "Per-Message Compressed" bit".
    rsv = RSV1

    def __init__(
        self, options: PerMessageDeflate, sending: _Direction, receiving: _Direction
    ) -> None:
        self._options = options
        self._sending = sending
        self._receiving = receiving
        # zlib's objects are made when they are needed.
        self._deflater: Any = None
        self._inflater: Any = None
        #: Something of the present message has arrived.
        self._begun = False

    @property
    def sharing_key(self) -> Hashable | None:
        """Equal keys: the same message is encoded to bytes that either peer can read.

        ``None`` with context takeover, where the bytes depend on what was sent before.
        """
        options, sending = self._options, self._sending
        if not sending.forget:
            return None
        return NAME, sending.bits, options.level, options.mem_level, options.threshold

    def encode(self, opcode: int, payload: bytes) -> bytes | None:
        """Compress a whole message (section 7.2.1); ``None`` to send it as it is."""
        if not payload or len(payload) < self._options.threshold:
            return None
        deflater = self._deflater or self._make_deflater(len(payload))
        forget = self._sending.forget
        self._deflater = None if forget else deflater
        first = deflater.compress(payload)
        data: bytes = first + deflater.flush(zlib.Z_SYNC_FLUSH)[: -len(_TAIL)]
        # With context takeover the peer has to see all that our window has seen.
        return None if forget and len(data) >= len(payload) else data

    def _make_deflater(self, size: int) -> Any:
        options, (bits, forget) = self._options, self._sending
        if bits > _MIN_BITS:
            # Kept for the next messages it would weigh several times what zlib's weighs.
            large = forget and size >= WORTHWHILE_FROM
            fast = fast_deflater(options.level, bits) if large else None
            return fast or zlib.compressobj(options.level, zlib.DEFLATED, -bits, options.mem_level)
        # zlib has no raw deflate with a window of 256 bytes. Run-length encoding never
        # looks further back than one byte, so it fits any window.
        return zlib.compressobj(
            options.level, zlib.DEFLATED, -bits - 1, options.mem_level, zlib.Z_RLE
        )

    def decode(self, data: bytes, final: bool, limit: int | None) -> bytes:
        """Inflate the next part of a message (section 7.2.2).

        :raises ProtocolException: 1007, this is no deflate data; 1009, above ``limit``.
        """
        if data:
            self._begun = True
        try:
            inflated = self._inflate(data, limit)
            if final:
                room = None if limit is None else limit - len(inflated)
                inflated += self._finish(room)
        except zlib.error:
            self._inflater = None
            raise ProtocolException("message is not valid deflate data", INVALID_PAYLOAD) from None
        except ProtocolException:
            self._inflater = None
            raise
        return inflated

    def _inflate(self, data: bytes, limit: int | None) -> bytes:
        """Inflate ``data``, which may be of several streams, one behind the other.

        Section 7.2.1: "DEFLATE blocks with the "BFINAL" bit set to 1" may be used
        anywhere. zlib ends there; what follows is the next stream, and as in
        browsers it begins with an empty window.
        """
        parts: list[bytes] = []
        view, position, step, size = memoryview(data), 0, len(data), 0
        while position < len(data):
            if self._inflater is None:
                self._inflater = zlib.decompressobj(-self._receiving.bits)
            piece = view[position : position + step]
            # One byte more than allowed is enough to know; 0 is zlib's "no limit".
            part = self._inflater.decompress(piece, 0 if limit is None else limit - size + 1)
            parts.append(part)
            size += len(part)
            if limit is not None and size > limit:
                raise FrameTooLargeException("inflated message above max_message_size")
            position += len(piece) - len(self._inflater.unused_data)
            step *= 2
            if self._inflater.eof:
                self._inflater = None
                step = _STEP
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _finish(self, limit: int | None) -> bytes:
        """End the message: put back what its sender took off."""
        begun, self._begun = self._begun, False
        if not begun or self._inflater is None:
            # Nothing arrived at all, or a last block has ended the message already.
            return b""
        inflated = self._inflate(_TAIL, limit)
        inflater = self._inflater
        if inflater is not None:
            # A message that was cut short would be completed by the beginning of the next.
            probe = inflater if self._receiving.forget else inflater.copy()
            probe.decompress(_LAST_BLOCK, 1)
            if not probe.eof:
                raise ProtocolException("message ends inside its deflate data", INVALID_PAYLOAD)
        if self._receiving.forget:
            self._inflater = None
        return inflated
