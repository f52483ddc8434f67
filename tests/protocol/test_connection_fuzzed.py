"""A connection with anything at all: it never raises, and cutting changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pair import peer_frame
from tests.support.wire import BINARY, CLOSE, cuts, read_frames
from ws4py._wire.closing import parse_close_payload
from ws4py._wire.codec import FAILED
from ws4py.exc import ConnectionClosed
from ws4py.protocol.connection import SERVER, Connection, Role
from ws4py.protocol.limits import Limits
from ws4py.protocol.state import CLOSED, OPEN

LIMITS = Limits(max_message_size=300, max_frame_size=200, max_fragments=4)

roles = st.sampled_from(list(Role))
borders = st.lists(st.integers(0, 2000))
payloads = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=40).map(str.encode),
    st.sampled_from([b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x03", b"\xed\xa0", bytes(126)]),
)
opcodes = st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3])
almost_frames = st.tuples(
    opcodes, payloads, st.booleans(), st.sampled_from([0, 0, 0, 0, 0, 0, 0, 4])
)


def play(role, pieces):
    """What a shell would do; returns all that can be seen from outside."""
    connection = Connection(role, LIMITS)
    events, sent = [], b""
    for piece in pieces:
        for event in connection.receive(piece):
            events.append(event)
            sent += connection.respond(event)
    assert connection.buffered <= 300 + 14 + 125
    check(connection, events, read_frames(sent))
    violation = connection.violation
    # Masking keys differ from run to run, what is sent must not.
    return events, read_frames(sent), connection.state, violation and violation.reason


def check(connection, events, replies):
    ended = [event for event in events if event[0] in (CLOSE, FAILED)]
    assert ended == (events[-1:] if connection.reading_done else [])
    assert len(ended) == len([reply for reply in replies if reply.opcode == CLOSE])
    assert (connection.state is CLOSED) is bool(ended)
    if ended:
        assert replies[-1].opcode == CLOSE
        parse_close_payload(replies[-1].payload)
    for opcode, payload in events:
        if opcode <= BINARY:
            assert len(payload) <= 300
        if opcode == 1:
            payload.decode("utf-8")


class TestReceiving:
    @given(roles, st.binary(max_size=400), borders)
    def test_any_bytes(self, role, data, where):
        self.same_cut_and_uncut(role, data, where)

    @given(roles, st.lists(almost_frames, max_size=12), borders, st.binary(max_size=3))
    def test_almost_frames(self, role, frames, where, tail):
        data = b"".join(peer_frame(role, *each[:3], rsv=each[3]) for each in frames)
        self.same_cut_and_uncut(role, data + tail, where)

    @given(roles, st.lists(almost_frames, min_size=1, max_size=6), st.data())
    def test_frames_with_one_bit_turned(self, role, frames, data):
        good = b"".join(peer_frame(role, *each[:3]) for each in frames)
        bit = data.draw(st.integers(0, 8 * len(good) - 1))
        turned = bytearray(good)
        turned[bit // 8] ^= 1 << bit % 8
        self.same_cut_and_uncut(role, bytes(turned), data.draw(borders))

    def same_cut_and_uncut(self, role, data, where):
        whole = play(role, [data])
        assert play(role, cuts(data, *(each for each in where if each < len(data)))) == whole
        assert play(role, [data[i : i + 1] for i in range(len(data))]) == whole


class TestSending:
    """Only documented errors, whatever a program passes."""

    @given(st.sampled_from([1, 2]), st.binary())
    def test_messages(self, opcode, payload):
        connection = Connection(SERVER)
        try:
            sent = connection.send_message(opcode, payload)
        except ValueError:
            with pytest.raises(UnicodeDecodeError):
                payload.decode("utf-8")
        else:
            assert [each.payload for each in read_frames(sent)] == [payload]

    @given(st.integers(), st.one_of(st.text(), st.binary()))
    def test_close(self, code, reason):
        connection = Connection(SERVER)
        try:
            sent = connection.send_close(code, reason)
        except ValueError:
            assert connection.state is OPEN
        else:
            (only,) = read_frames(sent)
            assert parse_close_payload(only.payload) == connection.close_sent
            with pytest.raises(ConnectionClosed):
                connection.send_ping(b"")
