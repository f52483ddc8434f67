"""Bytes cut anywhere mean the same as uncut, whatever they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import (
    ALL_WIDTHS,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    cuts,
    feed_all,
    frame,
    violation_code,
)

SERVER_LIKE = pytest.mark.parametrize("masked", [True, False], ids=["masked", "unmasked"])


def conversation(masked=True):
    """Bytes with every kind of frame in them, and what they mean."""
    text = ALL_WIDTHS.encode()
    frames = [
        frame(TEXT, b"", mask=masked),
        frame(TEXT, text, mask=masked),
        frame(BINARY, b"\xff" * 126, mask=masked),
        frame(PING, b"ping", mask=masked),
        frame(TEXT, text[:5], fin=False, mask=masked),
        frame(PONG, mask=masked),
        frame(CONTINUATION, b"", fin=False, mask=masked),
        frame(CONTINUATION, text[5:8], fin=False, mask=masked),
        frame(PING, b"x" * 125, mask=masked),
        frame(CONTINUATION, text[8:], mask=masked),
        frame(BINARY, b"", fin=False, mask=masked),
        frame(CONTINUATION, b"", mask=masked),
        frame(CLOSE, b"\x03\xe8bye", mask=masked),
    ]
    items = [
        (TEXT, b""),
        (TEXT, text),
        (BINARY, b"\xff" * 126),
        (PING, b"ping"),
        (PONG, b""),
        (PING, b"x" * 125),
        (TEXT, text),
        (BINARY, b""),
        (CLOSE, b"\x03\xe8bye"),
    ]
    return b"".join(frames), items


class TestCuts:
    """RFC 6455 section 5.4: bytes cut anywhere mean the same as uncut."""

    @SERVER_LIKE
    def test_in_two(self, codec, masked):
        data, expected = conversation(masked)
        for border in range(len(data) + 1):
            assert feed_all(codec.MessageReader(masked), *cuts(data, border)) == expected

    @SERVER_LIKE
    @pytest.mark.parametrize("step", [1, 2, 3, 7, 64])
    def test_in_steps(self, codec, masked, step):
        data, expected = conversation(masked)
        pieces = cuts(data, *range(step, len(data), step))
        assert feed_all(codec.MessageReader(masked), *pieces) == expected

    @SERVER_LIKE
    @pytest.mark.parametrize("size", [126, 65536])
    def test_headers_with_a_long_length(self, codec, masked, size):
        data = frame(BINARY, bytes(size), mask=masked)
        for border in range(20):
            reader = codec.MessageReader(masked)
            assert feed_all(reader, *cuts(data, border)) == [(BINARY, bytes(size))]

    @pytest.mark.parametrize("masked", [True, False])
    def test_a_violation(self, codec, masked):
        data = frame(TEXT, b"ok", mask=masked) * 2 + frame(7, b"x", mask=masked)
        whole = codec.MessageReader(masked)
        expected = whole.feed(data)
        for border in range(len(data)):
            cut = codec.MessageReader(masked)
            assert feed_all(cut, *cuts(data, border)) == expected
            assert cut.violation.reason == whole.violation.reason

    @given(st.binary(max_size=200), st.lists(st.integers(0, 200)), st.booleans())
    def test_of_anything(self, codec, data, borders, masked):
        self.same_cut_and_uncut(codec, data, borders, masked)

    @given(st.data(), st.lists(st.integers(0, 3000)), st.booleans())
    def test_of_almost_frames(self, codec, data, borders, masked):
        parts = data.draw(st.lists(st.one_of(st.binary(max_size=6), almost_frames(masked))))
        self.same_cut_and_uncut(codec, b"".join(parts), borders, masked)

    def same_cut_and_uncut(self, codec, data, borders, masked):
        """The invariant: it never raises, and cutting changes nothing."""
        whole = codec.MessageReader(masked, 300, 200, 5)
        cut = codec.MessageReader(masked, 300, 200, 5)
        expected = whole.feed(data)
        assert feed_all(cut, *cuts(data, *(b for b in borders if b < len(data)))) == expected
        assert (cut.done, violation_code(cut)) == (whole.done, violation_code(whole))
        assert cut.buffered == whole.buffered <= 300 + 14 + 125
        assert whole.done == bool(expected and expected[-1][0] in (CLOSE, codec.FAILED))
        for opcode, payload in expected:
            if opcode == TEXT:
                payload.decode("utf-8")


def almost_frames(masked):
    """Frames that are right in most respects."""
    return st.builds(
        frame,
        st.sampled_from([0, 0, 1, 1, 2, 8, 9, 10, 3]),
        st.one_of(st.binary(max_size=140), st.text(max_size=40).map(lambda t: t.encode())),
        fin=st.booleans(),
        rsv=st.sampled_from([0, 0, 0, 0, 0, 1]),
        mask=st.sampled_from([masked, masked, masked, masked, not masked]),
    )
