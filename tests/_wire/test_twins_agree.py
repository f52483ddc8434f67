"""The compiled codec against the same in pure Python: whatever comes, they say the same."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import twins
from tests.support.toy import Toy
from tests.support.wire import BINARY, CONTINUATION, PING, TEXT, frame
from ws4py._wire import codec_py, octets_py
from ws4py.exc import ProtocolException, TextFrameEncodingException

_KEYS = st.binary(min_size=4, max_size=4)
_BYTES = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(str.encode),
    # Around what is checked in blocks, and characters that cross a block's border.
    st.builds(lambda size, end: b"x" * size + end, st.integers(0, 70), st.binary(max_size=8)),
    st.builds(lambda n, text: text * n, st.integers(0, 40), st.sampled_from(["é", "€", "😀"])).map(
        str.encode
    ),
    st.sampled_from([b"y" * 70_000, b"\xed\xa0", b"\xf4\x90", b"\xe0\x80", b"\xff" * 200]),
)
_FRAMES = st.builds(
    frame,
    st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, PING, 8, 3, 10]),
    _BYTES,
    st.sampled_from([True, True, False]),
    st.sampled_from([0, 0, 0, 0, 4, 1]),
    st.sampled_from([True, True, True, True, False]),
    _KEYS,
)
_STREAMS = st.one_of(st.lists(_FRAMES, max_size=6).map(b"".join), st.binary(max_size=40))
_LIMITS = st.one_of(st.none(), st.integers(0, 500))


@pytest.fixture(name="codec_c", scope="module")
def fixture_codec_c():
    return twins.compiled("ws4py._wire.codec_c")


@pytest.fixture(name="octets_c", scope="module")
def fixture_octets_c():
    return twins.compiled("ws4py._wire.octets_c")


def pieces(data, places):
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(borders)]


def story(reader, parts):
    """All that can be seen of a reader from outside, after each part."""
    told = []
    for part in parts:
        told.append((reader.feed(part), reader.buffered, reader.at_rest, reader.done))
        violation = reader.violation
        if violation is not None:
            told.append((type(violation), violation.code, violation.reason, str(violation)))
            break
    return told


def outcome(call, *arguments):
    """What a call returns, or raises."""
    try:
        return call(*arguments)
    except (ProtocolException, TextFrameEncodingException, ValueError) as error:
        return type(error), getattr(error, "code", None)


@given(
    stream=_STREAMS,
    places=st.lists(st.integers(0, 2**20), max_size=6),
    masked=st.sampled_from([True, True, False]),
    limits=st.tuples(_LIMITS, _LIMITS, _LIMITS),
    toy=st.booleans(),
)
@example(stream=frame(TEXT, b"\xf4\x90"), places=[], masked=True, limits=(None,) * 3, toy=False)
@example(
    stream=b"\x82\xff\x7f" + b"\xff" * 7, places=[], masked=True, limits=(None,) * 3, toy=False
)
def test_readers(codec_c, stream, places, masked, limits, toy):
    parts = pieces(stream, places)
    made = [
        module.MessageReader(masked, *limits, Toy() if toy else None)
        for module in (codec_py, codec_c)
    ]
    expected, found = (story(reader, parts) for reader in made)
    assert found == expected


@given(
    opcode=st.integers(0, 15),
    payload=_BYTES,
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0x10, 0x40, 0x70]),
    key=st.one_of(st.none(), _KEYS),
)
def test_frames(codec_c, opcode, payload, fin, rsv, key):
    rest = (fin, rsv, key)
    assert codec_c.build_frame(opcode, payload, *rest) == codec_py.build_frame(
        opcode, payload, *rest
    )


@given(opcode=st.integers(0, 15), size=st.integers(0, 2**62), key=st.one_of(st.none(), _KEYS))
@example(opcode=1, size=125, key=None)
@example(opcode=1, size=126, key=None)
@example(opcode=1, size=65535, key=None)
@example(opcode=1, size=65536, key=None)
def test_headers(codec_c, opcode, size, key):
    arguments = opcode, size, True, 0, key
    assert codec_c.build_header(*arguments) == codec_py.build_header(*arguments)


@given(data=_BYTES, key=st.one_of(_KEYS, _KEYS))
def test_masks(octets_c, data, key):
    assert octets_c.apply_mask(data, key) == octets_py.apply_mask(data, key)


@given(data=_BYTES)
def test_text(octets_c, data):
    expected = outcome(octets_py.check_text, data)
    assert outcome(octets_c.check_text, data) == expected


@given(data=_BYTES, places=st.lists(st.integers(0, 2**20), max_size=6))
def test_text_in_parts(octets_c, data, places):
    parts = pieces(data, places)

    def told(checker):
        return [
            outcome(checker.feed, part, number == len(parts) - 1)
            for number, part in enumerate(parts)
        ]

    assert told(octets_c.Utf8Checker()) == told(octets_py.Utf8Checker())


@pytest.mark.parametrize("name", ["_left", "_opcode", "_key", "_unparsed"])
def test_the_compiled_one_has_its_types(codec_c, name):
    """Without codec_c.pxd it would be compiled all the same, and be slow."""
    assert hasattr(codec_py.MessageReader(True), name)
    assert not hasattr(codec_c.MessageReader(True), name)
    assert not hasattr(codec_c.MessageReader(True), "__dict__")
