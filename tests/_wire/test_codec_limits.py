"""What one peer can cost: sizes, fragments, memory and work."""

import tracemalloc

import pytest

from tests.support.wire import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    bare_header,
    cuts,
    feed_all,
    frame,
    violation_code,
)
from tests.support.work import assert_linear
from ws4py.exc import FrameTooLargeException
from ws4py.protocol.limits import DEFAULT_MAX_FRAGMENTS

KEY = b"\x37\xfa\x21\x3d"


class TestSizeLimits:
    """RFC 6455 section 10.4: 1009, judged by the header."""

    @pytest.mark.parametrize("size", [(1 << 63) - 1, 1 << 62, 1 << 32, 1 << 30, 70_001])
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_a_declared_length_is_enough(self, codec, opcode, size):
        reader = codec.MessageReader(True, max_message_size=70_000)
        header = bare_header(opcode, size)
        assert reader.feed(header[:-1]) == []
        assert reader.feed(header[-1:]) == [(codec.FAILED, b"")]
        assert isinstance(reader.violation, FrameTooLargeException)
        assert violation_code(reader) == 1009
        assert "max_message_size" in reader.violation.reason

    @pytest.mark.parametrize("field", ["max_message_size", "max_frame_size"])
    def test_the_limit_itself_is_allowed(self, codec, field):
        for limit in (0, 1, 125, 126, 65535, 65536):
            reader = codec.MessageReader(True, **{field: limit})
            payload = bytes(limit)
            assert reader.feed(frame(BINARY, payload)) == [(BINARY, payload)]
            assert reader.feed(frame(BINARY, bytes(limit + 1))) == [(codec.FAILED, b"")]
            assert violation_code(reader) == 1009
            assert field in reader.violation.reason

    def test_fragments_are_added_up(self, codec):
        """The sum is what is compared, not each length."""
        reader = codec.MessageReader(True, max_message_size=10)
        assert reader.feed(frame(BINARY, bytes(6), fin=False)) == []
        assert reader.feed(frame(CONTINUATION, bytes(4), fin=False)) == []
        assert reader.feed(bare_header(CONTINUATION, 1, width=0)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1009

    def test_a_sum_that_overflows_64_bits(self, codec):
        """CVE-2020-27813: fragments whose lengths add up to little, modulo 2^64."""
        reader = codec.MessageReader(True, max_message_size=1000)
        assert reader.feed(frame(BINARY, bytes(900), fin=False)) == []
        assert reader.feed(bare_header(CONTINUATION, (1 << 63) - 1)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1009

    def test_the_sum_starts_anew_with_each_message(self, codec):
        reader = codec.MessageReader(True, max_message_size=10, max_fragments=2)
        one = frame(BINARY, bytes(5), fin=False) + frame(CONTINUATION, bytes(5))
        assert reader.feed(one * 5) == [(BINARY, bytes(10))] * 5

    def test_a_frame_limit_holds_for_each_frame(self, codec):
        reader = codec.MessageReader(True, max_frame_size=4)
        data = frame(BINARY, bytes(4), fin=False) + frame(CONTINUATION, bytes(4), fin=False)
        assert reader.feed(data) == []
        assert reader.feed(bare_header(CONTINUATION, 5, width=0)) == [(codec.FAILED, b"")]

    def test_without_limits_any_length_is_waited_for(self, codec):
        reader = codec.MessageReader(True)
        assert reader.feed(bare_header(BINARY, (1 << 63) - 1) + KEY) == []
        assert not reader.done


class TestFragmentLimit:
    """RFC 6455 section 10.4: 1008 at the one past ``max_fragments``, empty ones counted."""

    @pytest.mark.parametrize("payload", [b"a", b""], ids=["one-byte", "empty"])
    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_the_one_past_the_limit(self, codec, payload, limit):
        reader = codec.MessageReader(True, max_fragments=limit)
        assert reader.feed(frame(TEXT, payload, fin=False)) == []
        for _ in range(limit - 1):
            assert reader.feed(frame(CONTINUATION, payload, fin=False)) == []
        assert reader.feed(frame(CONTINUATION, payload, fin=False)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1008
        assert "max_fragments" in reader.violation.reason

    def test_the_last_one_allowed_may_end_the_message(self, codec):
        reader = codec.MessageReader(True, max_fragments=3)
        data = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False)
        assert reader.feed(data + frame(CONTINUATION, b"c")) == [(TEXT, b"abc")]

    @pytest.mark.parametrize("payload", [b"a", b""], ids=["one-byte", "empty"])
    def test_a_million_fragments(self, codec, payload):
        piece = frame(CONTINUATION, payload, fin=False, mask=False) * 10_000
        reader = codec.MessageReader(False, max_fragments=DEFAULT_MAX_FRAGMENTS)
        assert reader.feed(frame(BINARY, payload, fin=False, mask=False)) == []
        taken = 1
        while not reader.done:
            before = taken
            taken += 10_000
            assert taken < 1_000_000
            items = reader.feed(piece)
        assert items == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1008
        assert before <= DEFAULT_MAX_FRAGMENTS < taken

    def test_control_frames_are_no_fragments(self, codec):
        reader = codec.MessageReader(True, max_fragments=2)
        data = frame(TEXT, b"a", fin=False) + frame(PING) * 9 + frame(CONTINUATION, b"b")
        assert reader.feed(data)[-1] == (TEXT, b"ab")


class TestMemory:
    """What is held is at most 1.25 times what has arrived, and 64 KiB."""

    PIECE = 4096

    def feed_and_check(self, reader, pieces):
        """Return the last items; every moment has to obey the formula."""
        received, items = 0, []
        tracemalloc.start()
        try:
            base = tracemalloc.get_traced_memory()[0]
            for piece in pieces:
                received += len(piece)
                items = reader.feed(piece)
                allowed = base + received * 1.25 + 64 * 1024
                assert tracemalloc.get_traced_memory()[1] <= allowed
                if reader.done:
                    break
        finally:
            tracemalloc.stop()
        return items

    def pieces(self, data):
        return cuts(data, *range(self.PIECE, len(data), self.PIECE))

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("masked", [True, False])
    def test_one_large_frame(self, codec, opcode, masked):
        """The moment of its delivery is no exception."""
        payload = b"x" * (1 << 20)
        pieces = self.pieces(frame(opcode, payload, mask=masked))
        reader = codec.MessageReader(masked)
        assert self.feed_and_check(reader, pieces) == [(opcode, payload)]

    def test_text_that_is_not_ascii(self, codec):
        payload = "ż".encode() * (1 << 17)
        pieces = self.pieces(frame(TEXT, payload))
        assert self.feed_and_check(codec.MessageReader(True), pieces) == [(TEXT, payload)]

    @pytest.mark.parametrize("payload", [b"a", b""], ids=["one-byte", "empty"])
    def test_small_fragments(self, codec, payload):
        """A fragment costs no memory of its own."""
        data = frame(BINARY, payload, fin=False) + frame(CONTINUATION, payload, fin=False) * 20_000
        reader = codec.MessageReader(True)
        assert self.feed_and_check(reader, self.pieces(data)) == []
        assert reader.buffered <= 20_001

    @pytest.mark.parametrize("size", [1 << 63, (1 << 63) - 1, 1 << 62, 1 << 32, 10_001])
    def test_declared_lengths_allocate_nothing(self, codec, size):
        """What is pushed behind a refused header is thrown away."""
        pieces = [bare_header(BINARY, size), *[bytes(self.PIECE)] * 50]
        reader = codec.MessageReader(True, max_message_size=10_000)
        assert self.feed_and_check(reader, pieces) == [(codec.FAILED, b"")]
        assert reader.feed(bytes(self.PIECE)) == []
        assert reader.buffered == 0

    def test_bytes_one_by_one(self, codec):
        data = frame(TEXT, b"a" * 5000, fin=False) + frame(PING, b"b" * 125)
        pieces = [data[i : i + 1] for i in range(len(data))]
        assert self.feed_and_check(codec.MessageReader(True), pieces)[-1] == (PING, b"b" * 125)


class TestWork:
    """Twice the input, twice the work."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda size: [frame(TEXT, b"x") * (size // 7)],
            lambda size: [frame(PING, b"x") * (size // 7)],
            lambda size: [frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", False) * size],
            lambda size: [bytes((each,)) for each in frame(TEXT, b"x" * size)],
            lambda size: [bytes((each,)) for each in frame(PING, b"x" * 10) * (size // 16)],
        ],
        ids=["messages", "pings", "fragments", "bytes-of-a-message", "bytes-of-pings"],
    )
    def test_is_linear(self, codec, make):
        def prepared(size):
            reader, pieces = codec.MessageReader(True), make(size)
            return lambda: feed_all(reader, *pieces)

        assert_linear(prepared, 2000)

    def test_a_large_message_costs_no_loop(self, codec):
        """Neither masking nor UTF-8 nor joining goes byte by byte."""

        def prepared(size):
            reader, data = codec.MessageReader(True), frame(TEXT, "ż".encode() * size)
            return lambda: reader.feed(data)

        assert_linear(lambda size: prepared(1000 * size), 1)
