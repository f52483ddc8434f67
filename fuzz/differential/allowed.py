"""Where ws4py may differ from the others: as data, a reason each. What is not here is a failure."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from fuzz.differential.implementations import Outcome
from fuzz.differential.streams import Stream
from fuzz.wire import CLOSE, CONTINUATION, take_frame

__all__ = ["ALLOWED", "Difference"]


class Difference(NamedTuple):
    """A difference that is meant to be.

    :param who: from whom ws4py differs.
    :param why: the reason, a sentence.
    :param applies: whether this is it, told from the stream, our outcome and theirs.
    """

    who: str
    why: str
    applies: Callable[[Stream, Outcome, Outcome], bool]


_TAIL, _LAST_BLOCK = b"\x00\x00\xff\xff", b"\x01\x00\x00\xff\xff"


def _begins(we: Outcome, they: Outcome) -> bool:
    """Whether we told the same until we stopped."""
    return we.events == they.events[: len(we.events)]


def _is_earlier(_: Stream, we: Outcome, they: Outcome) -> bool:
    if we.events != they.events:
        return False
    if they.code is None:
        return we.code in {1002, 1007, 1009}
    # What they came upon stands behind the byte that we refused.
    return we.reason == "text is not valid UTF-8" and they.code in {1002, 1009}


def _control_in_compressed(stream: Stream, _we: Outcome, _they: Outcome) -> bool:
    """Whether a control frame stands between the fragments of a compressed message."""
    at, inside = 0, False
    while stream.deflate and (found := take_frame(stream.data, at)) is not None:
        frame, at = found
        if frame.opcode < CLOSE:
            inside = not frame.fin and (inside or bool(frame.rsv & 4))
        elif inside:
            return True
    return False


def _refused(stream: Stream, we: Outcome, they: Outcome) -> tuple[bytes, Any] | None:
    """The compressed message that we refuse, and an inflater that has taken it, if zlib does."""
    told = sum(opcode < CLOSE for opcode, _ in we.events)
    compressed = _messages(stream)[told : told + 1] if stream.deflate else []
    if we.code != 1007 or not compressed or compressed[0] is None or not _begins(we, they):
        return None
    inflater = zlib.decompressobj(-15)
    try:
        inflater.decompress(compressed[0] + _TAIL)
    except zlib.error:
        return None
    return compressed[0], inflater


def _is_cut_short(stream: Stream, we: Outcome, they: Outcome) -> bool:
    """Whether the message that we refuse is valid as far as it goes, and ends inside a block."""
    refused = _refused(stream, we, they)
    if refused is None:
        return False
    inflater = refused[1]
    if inflater.eof:
        # A last block that only the bytes put back have ended.
        return 0 < len(inflater.unused_data) < len(_TAIL)
    # A block may begin there, unless it is in the middle of one.
    with contextlib.suppress(zlib.error):
        inflater.decompress(_LAST_BLOCK)
    return not inflater.eof


def _goes_on_behind_a_last_block(stream: Stream, we: Outcome, they: Outcome) -> bool:
    refused = _refused(stream, we, they)
    return refused is not None and len(refused[1].unused_data) > len(_TAIL)


def _messages(stream: Stream) -> list[bytes | None]:
    """The compressed messages as they came; ``None`` in the place of one that is not compressed."""
    found: list[bytes | None] = []
    at, parts, compressed = 0, b"", False
    while (taken := take_frame(stream.data, at)) is not None:
        frame, at = taken
        if frame.opcode >= CLOSE:
            continue
        if frame.opcode != CONTINUATION:
            parts, compressed = b"", bool(frame.rsv & 4)
        parts += frame.payload
        if frame.fin:
            found.append(parts if compressed else None)
    return found


ALLOWED = (
    Difference(
        "websockets",
        "we refuse a header, or a byte of text, when it comes; they wait for the whole frame",
        _is_earlier,
    ),
    Difference(
        "websockets",
        'section 5.2, "the minimal number of bytes MUST be used": they accept more',
        lambda _, we, they: (
            we.code == 1002
            and ("minimally" in we.reason or "above 125 bytes" in we.reason)
            and _begins(we, they)
        ),
    ),
    Difference(
        "websockets",
        "section 5.4, control frames may come between fragments: they make an exception of close",
        lambda _, we, they: (
            they.code == 1002
            and "incomplete fragmented message" in they.reason
            and we.events == they.events
        ),
    ),
    Difference(
        "websockets",
        "a close frame whose code and reason are both wrong: we look at the code first",
        lambda _, we, they: (
            (we.code, they.code) == (1002, 1007)
            and "close code" in we.reason
            and we.events == they.events
        ),
    ),
    Difference(
        "websockets",
        "a frame that is out of order and too large: they look at its size first",
        lambda _, we, they: (we.code, they.code) == (1002, 1009) and we.events == they.events,
    ),
    Difference(
        "websockets",
        "what cannot be inflated is inconsistent data to us (1007), to them an error (1002)",
        lambda _, we, they: (
            (we.code, they.code) == (1007, 1002)
            and they.reason == "decompression failed"
            and we.events == they.events
        ),
    ),
    Difference(
        "websockets",
        "a compressed message that is cut short is refused by us; they give what there is",
        _is_cut_short,
    ),
    Difference(
        "wsproto",
        "they have no limit for the size of a message",
        lambda _, we, they: we.code == 1009 and _begins(we, they),
    ),
    Difference(
        "wsproto",
        "behind a control frame in a compressed message they take the rest for uncompressed",
        _control_in_compressed,
    ),
    Difference(
        "wsproto",
        "we refuse a header, or a byte of text, when it comes; they wait for more",
        _is_earlier,
    ),
    Difference(
        "wsproto",
        "a compressed message that is cut short is refused by us; they give what there is",
        _is_cut_short,
    ),
    Difference(
        "wsproto",
        "a message inside a fragmented one, its bytes wrong too: they look at these first",
        lambda _, we, they: (
            (we.code, they.code) == (1002, 1007)
            and we.reason == "new message inside a fragmented one"
            and we.events == they.events
        ),
    ),
    Difference(
        "websockets",
        "section 7.2.3.4 of RFC 7692: behind a last block we read on; they drop the rest",
        _goes_on_behind_a_last_block,
    ),
    Difference(
        "wsproto",
        "section 7.2.3.4 of RFC 7692: behind a last block we read on; they drop the rest",
        _goes_on_behind_a_last_block,
    ),
)
