from hypothesis import given
from hypothesis import strategies as st

from fuzz.bytestream import ByteStream, cut


@given(st.binary(max_size=3000), st.integers(0, 0xFFFF))
def test_pieces_are_the_whole(data, seed):
    pieces = cut(data, seed)
    assert b"".join(pieces) == data
    assert all(pieces)
    assert pieces == cut(data, seed)


def test_an_input_is_read_from_its_beginning():
    stream = ByteStream(b"\x05\x07rest")
    assert (stream.byte(), stream.choice("abc"), stream.rest()) == (5, "b", b"rest")


def test_behind_the_end_every_choice_is_0():
    stream = ByteStream(b"")
    assert (stream.byte(), stream.choice("abc"), stream.rest()) == (0, "a", b"")
