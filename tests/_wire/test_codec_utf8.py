"""Text: the first wrong byte is refused when it arrives, wherever it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import (
    ALL_WIDTHS,
    BINARY,
    CONTINUATION,
    NOT_UTF8,
    TEXT,
    cuts,
    feed_all,
    frame,
    violation_code,
)
from ws4py.exc import ProtocolException, TextFrameEncodingException


def _well_formed(data: bytes) -> int | None:
    """Where UTF-8 goes wrong by table 3-7 of the Unicode Standard; ``None``: nowhere.

    A second opinion: written from the table of well-formed byte sequences.
    """
    tail = (0x80, 0xBF)
    rows = [
        ((0x00, 0x7F),),
        ((0xC2, 0xDF), tail),
        ((0xE0, 0xE0), (0xA0, 0xBF), tail),
        ((0xE1, 0xEC), tail, tail),
        ((0xED, 0xED), (0x80, 0x9F), tail),
        ((0xEE, 0xEF), tail, tail),
        ((0xF0, 0xF0), (0x90, 0xBF), tail, tail),
        ((0xF1, 0xF3), tail, tail, tail),
        ((0xF4, 0xF4), (0x80, 0x8F), tail, tail),
    ]
    position = 0
    while position < len(data):
        row = next((r for r in rows if r[0][0] <= data[position] <= r[0][1]), None)
        if row is None:
            return position
        for low, high in row[1:]:
            position += 1
            if position == len(data):
                return None
            if not low <= data[position] <= high:
                return position
        position += 1
    return None


# Bytes at the borders of the table's rows, so that a few of them meet every rule.
TRICKY = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


class TestUtf8:
    """RFC 6455 section 8.1, RFC 3629."""

    def first_refused(self, codec, data):
        """The index of the byte at which the checker says no, fed byte by byte."""
        checker = codec.Utf8Checker()
        for index in range(len(data)):
            try:
                checker.feed(data[index : index + 1], False)
            except ProtocolException:
                return index
        return None

    def test_every_pair_of_bytes(self, codec):
        for number in range(1 << 16):
            data = number.to_bytes(2, "big")
            assert self.first_refused(codec, data) == _well_formed(data), data

    @given(st.lists(st.sampled_from(TRICKY), max_size=12).map(bytes))
    def test_the_first_wrong_byte_is_refused_when_it_comes(self, codec, data):
        assert self.first_refused(codec, data) == _well_formed(data)

    @given(st.text(), st.data())
    def test_text_cut_anywhere_is_accepted(self, codec, text, data):
        encoded = text.encode("utf-8", "ignore")
        border = data.draw(st.integers(0, len(encoded)))
        checker = codec.Utf8Checker()
        checker.feed(encoded[:border], False)
        checker.feed(encoded[border:], True)

    @pytest.mark.parametrize("rest", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
    def test_an_end_inside_a_character(self, codec, rest):
        checker = codec.Utf8Checker()
        checker.feed(b"ok" + rest, False)
        with pytest.raises(ProtocolException, match="UTF-8") as caught:
            checker.feed(b"", True)
        assert caught.value.code == 1007

    @pytest.mark.parametrize("text", [b"", b"ascii", ALL_WIDTHS.encode()])
    def test_text_to_send(self, codec, text):
        codec.check_text(text)

    @pytest.mark.parametrize("wrong", [*NOT_UTF8, pytest.param(b"\xe2\x82", id="unfinished")])
    def test_wrong_text_to_send(self, codec, wrong):
        with pytest.raises(TextFrameEncodingException, match="not valid UTF-8"):
            codec.check_text(b"ok" + wrong)


class TestUtf8InMessages:
    """RFC 6455 section 8.1."""

    SIZE = 64 * 1024

    def fragments(self, payload, count):
        """``payload`` as the frames of one message."""
        step = len(payload) // count + 1
        parts = cuts(payload, *range(step, len(payload), step))
        assert len(parts) == count
        return [
            frame(CONTINUATION if index else TEXT, part, fin=index == count - 1)
            for index, part in enumerate(parts)
        ]

    @pytest.mark.parametrize("count", [1, 2, 7])
    @pytest.mark.parametrize("wrong", NOT_UTF8)
    def test_is_refused_before_the_message_ends(self, codec, wrong, count):
        step = self.SIZE // count + 1
        borders = {border + shift for border in range(0, self.SIZE, step) for shift in (-2, -1, 0)}
        positions = sorted(borders | set(range(0, self.SIZE - 4, 9973)))
        for position in positions:
            if not 0 <= position < self.SIZE - len(wrong):
                continue
            payload = b"a" * position + wrong + b"a" * (self.SIZE - position - len(wrong))
            assert len(payload) == self.SIZE
            frames = self.fragments(payload, count)
            reader = codec.MessageReader(True)
            # Everything but the message's last byte.
            data = b"".join(frames)[:-1]
            assert feed_all(reader, *cuts(data, len(data) // 2)) == [(codec.FAILED, b"")]
            assert violation_code(reader) == 1007

    @pytest.mark.parametrize("wrong", NOT_UTF8)
    def test_in_a_message_of_one_piece(self, codec, wrong):
        reader = codec.MessageReader(True)
        assert reader.feed(frame(TEXT, b"ok" + wrong)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1007

    @pytest.mark.parametrize("rest", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
    def test_cut_off_at_fin(self, codec, rest):
        for count in (1, 2):
            reader = codec.MessageReader(True)
            data = b"".join(self.fragments(b"text" + rest, count))
            assert reader.feed(data) == [(codec.FAILED, b"")]
            assert violation_code(reader) == 1007

    @pytest.mark.parametrize("masked", [True, False])
    def test_inside_a_frame_that_is_not_complete(self, codec, masked):
        """Autobahn 6.4.3: the bad byte is refused when it comes, not with the frame."""
        data = frame(TEXT, b"good\xffmore", mask=masked)
        bad = data.index(b"\xff") if not masked else 2 + 4 + 4
        reader = codec.MessageReader(masked)
        assert reader.feed(data[:bad]) == []
        assert reader.feed(data[bad : bad + 1]) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1007

    def test_one_message_does_not_taint_the_next(self, codec):
        reader = codec.MessageReader(True)
        data = frame(BINARY, b"\xe2", fin=False) + frame(CONTINUATION, b"\x82")
        data += frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\xac")
        assert reader.feed(data) == [(BINARY, b"\xe2\x82"), (TEXT, "€".encode())]
