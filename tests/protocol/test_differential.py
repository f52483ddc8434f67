"""The same bytes to another implementation: what was delivered, and which close code.

The other one is ``websockets`` without its I/O. Where the two differ, the reason
has to be in :data:`ALLOWED`.
"""

import codecs
import random
from typing import NamedTuple

import pytest
from websockets.protocol import CLIENT as THEIR_CLIENT
from websockets.protocol import SERVER as THEIR_SERVER
from websockets.protocol import Protocol

from tests.support.pair import peer_frame
from tests.support.wire import ALL_WIDTHS, BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, cuts
from ws4py._wire.codec import FAILED
from ws4py.protocol.connection import CLIENT, SERVER, Connection, Role
from ws4py.protocol.limits import Limits

MAX_SIZE = 1000
SEEDS = range(300)

roles = pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)


class Outcome(NamedTuple):
    """What a program would have seen; ``code`` is ``None`` while the connection is open."""

    messages: list[tuple[int, bytes]]
    code: int | None
    reason: str = ""


def ours(role, data) -> Outcome:
    connection = Connection(role, Limits(max_message_size=MAX_SIZE))
    messages = []
    for event in connection.receive(data):
        connection.respond(event)
        if event[0] in (TEXT, BINARY):
            messages.append(event)
        elif event[0] == CLOSE:
            return Outcome(messages, connection.close_code)
        elif event[0] == FAILED:
            return Outcome(messages, connection.violation.code, connection.violation.reason)
    return Outcome(messages, None)


def theirs(role, data) -> Outcome:
    """Their frames, joined to messages as their connections do."""
    protocol = Protocol(THEIR_SERVER if role is SERVER else THEIR_CLIENT, max_size=MAX_SIZE)
    protocol.receive_data(data)
    messages, opcode, parts, decoder = [], 0, [], None
    for frame in protocol.events_received():
        if frame.opcode in (TEXT, BINARY):
            opcode, parts = int(frame.opcode), []
            decoder = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None
        if frame.opcode in (TEXT, BINARY, CONTINUATION):
            parts.append(bytes(frame.data))
            try:
                _ = decoder and decoder.decode(parts[-1], frame.fin)
            except UnicodeDecodeError as error:
                return Outcome(messages, 1007, str(error))
            if frame.fin:
                messages.append((opcode, b"".join(parts)))
        elif frame.opcode == CLOSE:
            return Outcome(messages, protocol.close_rcvd.code)
    if protocol.parser_exc is None:
        return Outcome(messages, None)
    return Outcome(messages, protocol.close_sent.code, str(protocol.parser_exc))


# Why the two may differ: a sentence, and how to tell.
ALLOWED = [
    (
        "we refuse a header, or a byte of text, when it comes; they wait for the whole frame",
        lambda we, they: (
            they.code is None and we.code in (1002, 1007, 1009) and we.messages == they.messages
        ),
    ),
    (
        'section 5.2, "the minimal number of bytes MUST be used": they accept more',
        lambda we, they: (
            we.code == 1002
            and ("minimally" in we.reason or "above 125 bytes" in we.reason)
            and we.messages == they.messages[: len(we.messages)]
        ),
    ),
    (
        "section 5.4, control frames may come between fragments: they make an exception of close",
        lambda we, they: (
            they.code == 1002
            and "incomplete fragmented message" in they.reason
            and we.messages == they.messages
        ),
    ),
    (
        "a close frame whose code and reason are both wrong: we look at the code first",
        lambda we, they: (
            (we.code, they.code) == (1002, 1007)
            and "close code" in we.reason
            and we.messages == they.messages
        ),
    ),
    (
        "a frame that is out of order and too large: they look at its size first",
        lambda we, they: (we.code, they.code) == (1002, 1009) and we.messages == they.messages,
    ),
]


def conversation(role, rng) -> list[bytes]:
    """Frames that obey every rule; sometimes with a close frame at the end."""
    frames = []

    def add(*arguments, **keywords) -> None:
        # A key of the seed's, or a failure could not be repeated.
        frames.append(peer_frame(role, *arguments, key=rng.randbytes(4), **keywords))

    def control() -> None:
        if rng.random() < 0.3:
            size = rng.choice([0, 5, 125])
            add(rng.choice([PING, PONG]), rng.randbytes(size))

    for _ in range(rng.randint(1, 6)):
        opcode, size = rng.choice([TEXT, BINARY]), rng.choice([0, 1, 10, 125, 126, 200])
        text = "".join(rng.choices(ALL_WIDTHS, k=size)).encode()
        payload = text if opcode == TEXT else rng.randbytes(size)
        borders = sorted(rng.choices(range(len(payload) + 1), k=rng.choice([0, 0, 1, 3])))
        parts = cuts(payload, *borders)
        for index, part in enumerate(parts):
            control()
            kind = CONTINUATION if index else opcode
            add(kind, part, fin=index == len(parts) - 1)
    if rng.random() < 0.5:
        codes = [b"", b"\x03\xe8", b"\x03\xf4\xe2\x82\xac", b"\x0b\xb8reason"]
        add(CLOSE, rng.choice(codes))
    return frames


def turn_a_bit(one, rng):
    one[rng.randrange(min(len(one), 3))] ^= 1 << rng.randrange(8)


def change_a_byte(one, rng):
    one[rng.randrange(len(one))] = rng.randrange(256)


def lose_a_byte(one, rng):
    del one[rng.randrange(len(one))]


def add_a_byte(one, rng):
    one.insert(rng.randrange(len(one)), rng.randrange(256))


def repeat(one, _rng):
    one *= 2


def write_the_length_in_two_bytes(one, _rng):
    if one[1] & 0x7F < 126:
        one[1:2] = bytes((one[1] & 0x80 | 126, 0, one[1] & 0x7F))


def replace(one, rng):
    role = SERVER if one[1] & 0x80 else CLIENT
    wrong = [
        (TEXT, b"\xff"),
        (TEXT, b"\xed\xa0\x80"),
        (TEXT, b"\xe2\x82"),
        (CONTINUATION, b"\xc0\x80"),
        (TEXT, b"a" * (MAX_SIZE + 1)),
        (CONTINUATION, b"a" * (MAX_SIZE + 1)),
        (CLOSE, b"\x03"),
        (CLOSE, b"\x03\xed"),
        (CLOSE, b"\x03\xe8\xff"),
        (CLOSE, b"\x13\x88"),
        (CLOSE, bytes(126)),
    ]
    one[:] = peer_frame(role, *rng.choice(wrong), key=rng.randbytes(4))


MUTATIONS = [
    turn_a_bit,
    change_a_byte,
    lose_a_byte,
    add_a_byte,
    repeat,
    write_the_length_in_two_bytes,
    replace,
]


def mutated(role, rng) -> bytes:
    """Frames, one of which was changed a little; sometimes cut off."""
    frames = [bytearray(each) for each in conversation(role, rng)]
    rng.choice(MUTATIONS)(rng.choice(frames), rng)
    data = b"".join(frames)
    return data[: rng.randrange(len(data))] if rng.random() < 0.2 else data


@roles
def test_good_streams_mean_the_same(role):
    for seed in SEEDS:
        data = b"".join(conversation(role, random.Random(seed)))
        we, they = ours(role, data), theirs(role, data)
        assert we == they, f"seed {seed}"
        assert we.code in (None, 1000, 1005, 1012, 3000)


@roles
def test_bad_streams_end_the_same(role):
    refused = 0
    for seed in SEEDS:
        data = mutated(role, random.Random(seed))
        we, they = ours(role, data), theirs(role, data)
        refused += we.code in (1002, 1007, 1009)
        if we[:2] != they[:2]:
            reasons = [why for why, applies in ALLOWED if applies(we, they)]
            assert reasons, f"seed {seed}: {we[1:]} is not {they[1:]}"
    # Otherwise the streams would be too tame to show anything.
    assert refused > len(SEEDS) // 4


@roles
def test_every_allowed_difference_is_still_one(role):
    """A reason that no stream needs any more has to go."""
    found = set()
    for seed in range(4000):
        data = mutated(role, random.Random(seed))
        we, they = ours(role, data), theirs(role, data)
        if we[:2] != they[:2]:
            found |= {why for why, applies in ALLOWED if applies(we, they)}
        if len(found) == len(ALLOWED):
            return
    pytest.fail(f"never needed: {[why for why, _ in ALLOWED if why not in found]}")
