"""permessage-deflate: its negotiation, and what it makes of a peer's bytes.

Input: a byte that chooses what is tried (even: negotiating, odd: inflating), bytes that choose the
options, then the parameters of an offer, or the compressed message.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from fuzz.bytestream import ByteStream, cut
from ws4py.exc import HandshakeError, ProtocolException
from ws4py.protocol import deflate
from ws4py.protocol.deflate import NAME, Deflate, PerMessageDeflate
from ws4py.protocol.headers import build_extension, parse_extensions

__all__ = ["WORDS", "check"]

WORDS = (
    b"server_no_context_takeover",
    b"client_no_context_takeover",
    b"server_max_window_bits=8",
    b"server_max_window_bits=15",
    b"client_max_window_bits",
    b"client_max_window_bits=9",
    b'="10"',
    b"; ",
    b"\x00\x00\x00\xff\xff",
    b"\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\xf3\x48\xcd\xc9\xc9\x07\x00",
    b"\x01\x05\x00\xfa\xffhello",
    b"\x03\x00",
    b"\xca\x18\x05\x00",
)

_TAIL = b"\x00\x00\xff\xff"
#: What zlib may have given above the limit: the byte that tells, and that of looking at the end.
_EXCESS = 2


def check(data: bytes) -> None:
    """Negotiating: an offer is declined or answered so that an equal client takes the answer.

    What is compressed then, zlib inflates.

    Inflating: nothing but ProtocolException 1007 or 1009, whole and in pieces alike; never more
    from zlib than the limit and a byte; what comes out is what zlib alone says.
    """
    stream = ByteStream(data)
    what, seed = stream.byte(), stream.byte() << 8 | stream.byte()
    options = _options(stream)
    if what & 1:
        _inflate(options, stream.choice((0, 1, 5, 300, 5000, 1 << 20)), seed, stream.rest())
    else:
        _negotiate(options, stream.rest().decode("latin-1"))


def _options(stream: ByteStream) -> PerMessageDeflate:
    flags = stream.byte()
    bits = stream.byte()
    return PerMessageDeflate(
        server_no_context_takeover=bool(flags & 1),
        client_no_context_takeover=bool(flags & 2),
        server_max_window_bits=8 + bits % 8,
        client_max_window_bits=8 + bits // 8 % 8,
        level=(flags >> 2) % 10,
        mem_level=1 + bits // 64,
        threshold=0,
    )


# -- Negotiating -----------------------------------------------------------------------


def _negotiate(options: PerMessageDeflate, value: str) -> None:
    try:
        offers = parse_extensions(f"{NAME}; {value}" if value else NAME)
    except HandshakeError:
        return
    for name, parameters in offers:
        accepted = options.accept(parameters) if name == NAME else None
        if accepted is not None:
            _judge(parameters, *accepted)
            _there_and_back(accepted[1], value.encode())
        # The same as an answer: refused, or understood.
        with contextlib.suppress(HandshakeError):
            options.confirm(parameters)


def _judge(
    offered: list[tuple[str, str | None]], answered: list[tuple[str, str | None]], server: Deflate
) -> None:
    """Section 7.1: what an answer may say to an offer."""
    asked, said = dict(offered), dict(answered)
    assert len(said) == len(answered)
    assert all(not name.endswith("takeover") or name in said for name in asked if name[0] == "s")
    if "server_max_window_bits" in asked:
        wanted = int(asked["server_max_window_bits"] or 0)
        assert int(said["server_max_window_bits"] or 0) <= wanted
    if "client_max_window_bits" not in asked:
        assert "client_max_window_bits" not in said
    elif asked["client_max_window_bits"]:
        assert int(said["client_max_window_bits"] or 0) <= int(asked["client_max_window_bits"])
    # It survives being written and read.
    assert parse_extensions(build_extension(NAME, answered)) == [(NAME, answered)]
    assert server.rsv == 0x40


def _there_and_back(server: Deflate, payload: bytes) -> None:
    """What the server compresses, zlib inflates."""
    inflater = zlib.decompressobj(-15)
    for _ in range(2):
        if server.sharing_key is not None:
            # No context takeover: each message stands for itself.
            inflater = zlib.decompressobj(-15)
        encoded = server.encode(2, payload)
        if encoded is not None:
            assert inflater.decompress(encoded + _TAIL) == payload


# -- Inflating -------------------------------------------------------------------------


def _inflate(options: PerMessageDeflate, limit: int, seed: int, message: bytes) -> None:
    ends = _ends(options)
    whole, parts = (
        _decode(end, pieces, limit)
        for end, pieces in zip(ends, ([message], cut(message, seed)), strict=True)
    )
    if whole != parts:
        _excuse(options, whole, parts)
    if isinstance(whole, bytes):
        _agrees_with_zlib(message, whole)


def _excuse(options: PerMessageDeflate, whole: bytes | int, parts: bytes | int) -> None:
    """What is wrong may be seen or not, or in another order, by where zlib's calls end."""
    told = f"{whole!r:.200} / {parts!r:.200}"
    if isinstance(whole, int):
        # With an error in the byte behind the limit zlib keeps what it made before it, so which of
        # the two it is may depend on the cuts; that it is refused does not.
        assert isinstance(parts, int), told
    else:
        # A peer that looks further back than it agreed to: inside of one call zlib lets it.
        assert (parts, options.client_max_window_bits < 15) == (1007, True), told


def _ends(options: PerMessageDeflate) -> list[Deflate]:
    """Two servers that have agreed on the same."""
    found = []
    for _ in range(2):
        accepted = options.accept(options.offer())
        assert accepted is not None
        found.append(accepted[1])
    return found


def _decode(end: Deflate, pieces: list[bytes], limit: int) -> bytes | int:
    """Return what a message inflates to, or the close code that answers it."""
    produced = b""
    with _counted() as given:
        try:
            for piece in pieces:
                produced += end.decode(piece, False, limit - len(produced))
            produced += end.decode(b"", True, limit - len(produced))
        except ProtocolException as error:
            refusal = error.code
        else:
            refusal = 0
            assert len(produced) <= limit
    assert sum(given) <= limit + _EXCESS, (sum(given), limit)
    assert refusal in {0, 1007, 1009}
    return refusal or produced


@contextlib.contextmanager
def _counted() -> Iterator[list[int]]:
    """Count what zlib gives; its own objects cannot be looked into."""
    given: list[int] = []
    inside: Any = deflate
    substitute: Any = SimpleNamespace(**vars(zlib))
    substitute.decompressobj = lambda bits: _Counting(zlib.decompressobj(bits), given)
    inside.zlib = substitute
    try:
        yield given
    finally:
        inside.zlib = zlib


class _Counting:
    """A decompressor of zlib's that writes down how much it has given."""

    def __init__(self, inner: Any, given: list[int]) -> None:
        self._inner = inner
        self._given = given

    def decompress(self, data: Any, most: int = 0) -> bytes:
        part: bytes = self._inner.decompress(data, most)
        self._given.append(len(part))
        return part

    def copy(self) -> _Counting:
        return _Counting(self._inner.copy(), self._given)

    @property
    def unused_data(self) -> bytes:
        found: bytes = self._inner.unused_data
        return found

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)


def _agrees_with_zlib(message: bytes, inflated: bytes) -> None:
    """Where no block is the last one, a message is one stream of zlib's."""
    alone = zlib.decompressobj(-15)
    found = alone.decompress(message + _TAIL) if message else b""
    if not alone.eof:
        assert found == inflated
