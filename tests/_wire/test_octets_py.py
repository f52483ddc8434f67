"""Masking and UTF-8, of both builds."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import ALL_WIDTHS, NOT_UTF8, mask_slowly
from ws4py.exc import ProtocolException, TextFrameEncodingException

KEY = b"\x37\xfa\x21\x3d"


class TestMasking:
    """RFC 6455 section 5.3."""

    def test_example_of_the_rfc(self, octets):
        """Section 5.7, "A single-frame masked text message"."""
        assert octets.apply_mask(b"Hello", KEY) == bytes.fromhex("7f 9f 4d 51 58")

    def test_nothing(self, octets):
        assert octets.apply_mask(b"", KEY) == b""

    def test_is_what_the_rfc_says_octet_by_octet(self, octets):
        for size in (*range(1, 20), *range(1017, 1032), 4095, 4096, 4097):
            data = os.urandom(size)
            assert octets.apply_mask(data, KEY) == mask_slowly(data, KEY)

    @given(st.binary(max_size=3000), st.binary(min_size=4, max_size=4))
    def test_any_data_and_key(self, octets, data, key):
        masked = octets.apply_mask(data, key)
        assert masked == mask_slowly(data, key)
        assert octets.apply_mask(masked, key) == data

    @pytest.mark.parametrize("size", [7, 2047])
    def test_leading_and_trailing_zeros_are_kept(self, octets, size):
        for value in (0, 0x7F, 0x80, 0xFF):
            data = bytes((value,)) * size
            assert octets.apply_mask(data, data[:4]) == bytes(size)


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

    def first_refused(self, octets, data):
        """The index of the byte at which the checker says no, fed byte by byte."""
        checker = octets.Utf8Checker()
        for index in range(len(data)):
            try:
                checker.feed(data[index : index + 1], False)
            except ProtocolException:
                return index
        return None

    def test_every_pair_of_bytes(self, octets):
        for number in range(1 << 16):
            data = number.to_bytes(2, "big")
            assert self.first_refused(octets, data) == _well_formed(data), data

    @given(st.lists(st.sampled_from(TRICKY), max_size=12).map(bytes))
    def test_the_first_wrong_byte_is_refused_when_it_comes(self, octets, data):
        assert self.first_refused(octets, data) == _well_formed(data)

    @given(st.text(), st.data())
    def test_text_cut_anywhere_is_accepted(self, octets, text, data):
        encoded = text.encode("utf-8", "ignore")
        border = data.draw(st.integers(0, len(encoded)))
        checker = octets.Utf8Checker()
        checker.feed(encoded[:border], False)
        checker.feed(encoded[border:], True)

    @pytest.mark.parametrize("rest", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
    def test_an_end_inside_a_character(self, octets, rest):
        checker = octets.Utf8Checker()
        checker.feed(b"ok" + rest, False)
        with pytest.raises(ProtocolException, match="UTF-8") as caught:
            checker.feed(b"", True)
        assert caught.value.code == 1007

    @pytest.mark.parametrize("text", [b"", b"ascii", ALL_WIDTHS.encode()])
    def test_text_to_send(self, octets, text):
        octets.check_text(text)

    @pytest.mark.parametrize("wrong", [*NOT_UTF8, pytest.param(b"\xe2\x82", id="unfinished")])
    def test_wrong_text_to_send(self, octets, wrong):
        with pytest.raises(TextFrameEncodingException, match="not valid UTF-8"):
            octets.check_text(b"ok" + wrong)

    def test_a_surrogate_is_refused_at_its_second_byte(self, octets):
        checker = octets.Utf8Checker()
        checker.feed(b"\xed", False)
        with pytest.raises(ProtocolException, match="UTF-8"):
            checker.feed(b"\xa0", False)


class TestLongText:
    """What is longer than the blocks that a compiled build looks at in one go."""

    def accepts(self, octets, data):
        try:
            octets.check_text(data)
        except TextFrameEncodingException:
            return False
        return True

    @pytest.mark.parametrize("filling", ["a", "é", "世", "😀", "aé世😀"])
    @pytest.mark.parametrize("wrong", [*NOT_UTF8, pytest.param(b"\xe2\x82", id="unfinished")])
    def test_a_wrong_byte_at_any_place(self, octets, filling, wrong):
        for before in range(40):
            text = (filling * 40)[:before].encode()
            behind = (filling * 40).encode()
            assert self.accepts(octets, text + behind)
            assert not self.accepts(octets, text + wrong + behind)
            assert not self.accepts(octets, behind + text + wrong)

    @given(st.text(min_size=30, max_size=120), st.data())
    def test_is_judged_as_python_judges_it(self, octets, text, data):
        encoded = bytearray(text.encode("utf-8", "ignore"))
        for _ in range(data.draw(st.integers(0, 2))):
            place = data.draw(st.integers(0, max(0, len(encoded) - 1)))
            encoded[place : place + 1] = bytes((data.draw(st.sampled_from(TRICKY)),))
        try:
            encoded.decode()
        except UnicodeDecodeError:
            assert not self.accepts(octets, bytes(encoded))
        else:
            assert self.accepts(octets, bytes(encoded))

    @given(st.text(min_size=30, max_size=120), st.data())
    def test_cut_anywhere(self, octets, text, data):
        encoded = text.encode("utf-8", "ignore")
        checker = octets.Utf8Checker()
        border = data.draw(st.integers(0, len(encoded)))
        checker.feed(encoded[:border], False)
        checker.feed(encoded[border:], True)
