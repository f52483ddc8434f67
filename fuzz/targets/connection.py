"""A connection, both roles: what the peer sends, and what the program does meanwhile.

Input: a byte of flags (1: this is the client, 2: permessage-deflate, 4: with context takeover,
8: the program acts too), two bytes that say where to cut, two bytes for the program, then what the
peer sends.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.bytestream import ByteStream, cut
from fuzz.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, read_frames
from ws4py._wire.codec import FAILED
from ws4py.exc import ConnectionClosed
from ws4py.protocol.connection import CLIENT, SERVER, Connection, Event, Role
from ws4py.protocol.deflate import Deflate, PerMessageDeflate
from ws4py.protocol.limits import Limits
from ws4py.protocol.prepared import PreparedMessage
from ws4py.protocol.state import CLOSED, OPEN

__all__ = ["WORDS", "check"]

WORDS = (
    b"\x81\x85\0\0\0\0hello",
    b"\x88\x82\0\0\0\0\x03\xe8",
    b"\x88\x02\x03\xe8",
    b"\x88\x80\0\0\0\0",
    b"\x89\x82\0\0\0\0pi",
    b"\x8a\x80\0\0\0\0",
    b"\x01\x81\0\0\0\0a",
    b"\x80\x81\0\0\0\0b",
    b"\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00",
    b"\x40\x80\0\0\0\0",
)

_LIMITS = Limits(max_message_size=2000, max_frame_size=1500, max_fragments=8)
#: What a peer may say in a close frame is nothing that we may not say in the answer to it.
_NEVER_SENT = {1005, 1006, 1015}
#: What inflating may be refused with.
_EITHER = {1007, 1009}


def check(data: bytes) -> None:
    """Whole and in pieces: the same events, the same frames out, and the same state at the end.

    At most one close frame, nothing behind it, exactly one for what the peer closed or broke; every
    answer is a whole frame, masked by a client only. With a program that sends, closes, fails or
    loses the connection in between, nothing escapes but ConnectionClosed where it is not open any
    more.
    """
    stream = ByteStream(data)
    flags = stream.byte()
    seed, program = (stream.byte() << 8 | stream.byte() for _ in range(2))
    received = stream.rest()
    pieces = cut(received, seed)
    told, in_pieces = (_play(_connection(flags), each) for each in ([received], pieces))
    assert told == in_pieces, f"{told!r:.500} / {in_pieces!r:.500}"
    if flags & 8:
        _play_along(_connection(flags), pieces, random.Random(program))


def _connection(flags: int) -> Connection:
    role = CLIENT if flags & 1 else SERVER
    return Connection(role, _LIMITS, _extension(role, flags) if flags & 2 else None)


def _extension(role: Role, flags: int) -> Deflate:
    forget = not flags & 4
    # The largest window: who looks further back than a smaller one is not refused in every case.
    options = PerMessageDeflate(
        server_no_context_takeover=forget,
        client_no_context_takeover=forget,
        server_max_window_bits=15,
        client_max_window_bits=15,
        threshold=0,
    )
    accepted = options.accept(options.offer())
    assert accepted is not None
    return accepted[1] if role is SERVER else options.confirm(accepted[0])


def _play(connection: Connection, pieces: list[bytes]) -> tuple[object, ...]:
    """Do what a shell does; return all that can be seen from outside."""
    events: list[Event] = []
    sent = b""
    for piece in pieces:
        if connection.reading_done:
            break
        for event in connection.receive(piece):
            events.append(event)
            sent += connection.respond(event)
    frames = _frames(connection, sent)
    _judge(connection, events, frames)
    violation, close = connection.violation, connection.close_sent
    if violation is not None and violation.code in _EITHER and connection.extension is not None:
        # A message that is too large, or no text, and then no deflate data either: zlib keeps what
        # it made of the bytes before its error, so which comes first depends on the cuts.
        return events, frames[:-1], connection.state, "refused"
    return (
        events,
        frames,
        connection.state,
        close,
        connection.close_received,
        violation and (violation.code, violation.reason),
    )


def _frames(connection: Connection, sent: bytes) -> list[Frame]:
    """Read what was sent; masking keys are new each time, so they are not looked at."""
    frames = read_frames(sent)
    codes = [each.opcode for each in frames]
    assert CLOSE not in codes[:-1]
    if frames:
        assert bool(sent[1] & 0x80) is connection.mask_outgoing
    for each in frames:
        if each.opcode == CLOSE and each.payload:
            assert int.from_bytes(each.payload[:2], "big") not in _NEVER_SENT
            each.payload[2:].decode("utf-8")
        if each.opcode >= CLOSE:
            assert each.fin
            assert len(each.payload) <= 125
    assert (CLOSE in codes) is (connection.close_sent is not None)
    return frames


def _judge(connection: Connection, events: list[Event], frames: list[Frame]) -> None:
    ended = [event for event in events if event[0] in {CLOSE, FAILED}]
    assert ended == (events[-1:] if connection.reading_done else [])
    assert (connection.state is CLOSED) is bool(ended)
    pings = [payload for opcode, payload in events if opcode == PING]
    pongs = [each.payload for each in frames if each.opcode == PONG]
    assert pings == pongs
    assert len(frames) == len(pongs) + len(ended)
    for opcode, payload in events:
        assert len(payload) <= (2000 if opcode <= BINARY else 125)
        if opcode == TEXT:
            payload.decode("utf-8")


def _play_along(connection: Connection, pieces: list[bytes], rng: random.Random) -> None:
    """Let a program act between the pieces; what leaves has to stay in order."""
    sent = b""
    begun = False
    for piece in pieces:
        was_open = connection.state is OPEN
        act = rng.choice(_ACTS)
        try:
            sent += act(connection, piece[:100])
        except ConnectionClosed:
            assert not was_open
        if connection.reading_done:
            break
        for event in connection.receive(piece):
            sent += connection.respond(event)
        begun = begun or connection.fragmenting
    frames = _frames(connection, sent)
    if not begun:
        assert all(each.fin and each.opcode != CONTINUATION for each in frames)


def _say(connection: Connection, payload: bytes) -> bytes:
    return connection.send_message(BINARY, payload)


def _prepared(connection: Connection, payload: bytes) -> bytes:
    return connection.send_prepared(PreparedMessage(BINARY, payload))


def _begin(connection: Connection, payload: bytes) -> bytes:
    first = not connection.fragmenting
    return connection.send_fragment(BINARY, payload, first, last=False)


def _end(connection: Connection, payload: bytes) -> bytes:
    return connection.send_fragment(BINARY, payload, not connection.fragmenting, last=True)


def _ping(connection: Connection, payload: bytes) -> bytes:
    return connection.send_ping(payload)


def _close(connection: Connection, payload: bytes) -> bytes:
    return connection.send_close(1000, payload.decode("latin-1"))


def _fail(connection: Connection, _payload: bytes) -> bytes:
    return connection.fail(1011, "given up")


def _lose(connection: Connection, _payload: bytes) -> bytes:
    connection.lose()
    return b""


def _nothing(_connection: Connection, _payload: bytes) -> bytes:
    return b""


_ACTS: tuple[Callable[[Connection, bytes], bytes], ...] = (
    *(_say, _prepared, _begin, _end, _ping) * 4,
    *(_nothing,) * 20,
    _close,
    _fail,
    _lose,
)
