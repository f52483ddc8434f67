"""The fuzzers' frames against those of the tests, which were written apart from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import wire
from tests.support import raw
from tests.support.wire import read_frames

sizes = st.one_of(st.integers(0, 300), st.sampled_from([65535, 65536]))


@given(st.integers(0, 15), sizes, st.booleans(), st.integers(0, 7), st.booleans())
def test_made_and_read_alike(opcode, size, fin, rsv, mask):
    payload, key = bytes(range(256)) * (size // 256) + bytes(size % 256), b"\x01\xff\x00k"
    ours = wire.frame(opcode, payload, fin=fin, rsv=rsv, key=key if mask else None)
    assert ours == raw.frame(opcode, payload, fin=fin, rsv=rsv, mask=mask, key=key)
    assert wire.read_frames(ours * 2) == read_frames(ours * 2)
    assert wire.take_frame(ours[:-1], 0) is None


def test_what_is_cut_off_is_no_frame():
    with pytest.raises(AssertionError, match="not complete"):
        wire.read_frames(b"\x82\x05four")
