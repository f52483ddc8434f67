import gc
import os
import weakref

import pytest

from tests.support.toy import Toy
from tests.support.wire import (
    ALL_WIDTHS,
    BINARY,
    CLOSE,
    CONTINUATION,
    NOT_UTF8,
    PING,
    PONG,
    TEXT,
    bare_header,
    cuts,
    feed_all,
    frame,
    mask_slowly,
    violation_code,
)
from ws4py.exc import (
    UnsupportedFrameTypeException,
)

KEY = b"\x37\xfa\x21\x3d"


SIZES = [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 1023, 1024, 1025, 65535, 65536, 65537]

SERVER_LIKE = pytest.mark.parametrize("masked", [True, False], ids=["masked", "unmasked"])


class TestBuilding:
    """RFC 6455 sections 5.2 and 5.7."""

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ((TEXT, b"Hello"), "81 05 48 65 6c 6c 6f"),
            ((TEXT, b"Hello", True, 0, KEY), "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
            ((TEXT, b"Hel", False), "01 03 48 65 6c"),
            ((CONTINUATION, b"lo", True), "80 02 6c 6f"),
            ((PING, b"Hello"), "89 05 48 65 6c 6c 6f"),
            ((PONG, b"Hello", True, 0, KEY), "8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
        ],
    )
    def test_examples_of_the_rfc(self, codec, arguments, expected):
        assert codec.build_frame(*arguments) == bytes.fromhex(expected)

    @pytest.mark.parametrize(
        ("size", "expected"), [(256, "82 7e 01 00"), (65536, "82 7f 00 00 00 00 00 01 00 00")]
    )
    def test_headers_of_the_rfc(self, codec, size, expected):
        assert codec.build_header(BINARY, size) == bytes.fromhex(expected)

    @pytest.mark.parametrize("key", [None, KEY], ids=["unmasked", "masked"])
    def test_lengths_are_minimal(self, codec, key):
        for size in SIZES:
            payload = os.urandom(size)
            expected = frame(BINARY, payload, mask=key is not None, key=key)
            assert codec.build_frame(BINARY, payload, True, 0, key) == expected

    @pytest.mark.parametrize("rsv", [1, 2, 4])
    def test_reserved_bits_stand_as_given(self, codec, rsv):
        expected = frame(TEXT, b"x", rsv=rsv, mask=False)
        assert codec.build_frame(TEXT, b"x", True, rsv << 4) == expected


class TestWholeMessages:
    """RFC 6455 sections 5.2 and 5.6."""

    @SERVER_LIKE
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_every_length(self, codec, masked, opcode):
        reader = codec.MessageReader(masked)
        for size in SIZES:
            payload = b"x" * size if opcode == TEXT else os.urandom(size)
            assert reader.feed(frame(opcode, payload, mask=masked)) == [(opcode, payload)]
            assert reader.buffered == 0
        assert not reader.done

    @SERVER_LIKE
    def test_many_in_one_piece(self, codec, masked):
        """Ten thousand frames in one segment."""
        expected = [(TEXT, b"%d" % number) for number in range(10_000)]
        data = b"".join(frame(*each, mask=masked) for each in expected)
        reader = codec.MessageReader(masked, 1000, 1000, 1000)
        assert reader.feed(data) == expected

    def test_the_key_of_one_frame_is_not_that_of_the_next(self, codec):
        reader = codec.MessageReader(True)
        data = b"".join(frame(TEXT, b"hello", key=bytes((n, 0, 255, n))) for n in range(256))
        assert reader.feed(data) == [(TEXT, b"hello")] * 256

    def test_text_of_all_widths(self, codec):
        payload = ALL_WIDTHS.encode()
        assert codec.MessageReader(True).feed(frame(TEXT, payload)) == [(TEXT, payload)]

    def test_binary_need_not_be_text(self, codec):
        assert codec.MessageReader(True).feed(frame(BINARY, b"\xff")) == [(BINARY, b"\xff")]

    def test_nothing_received(self, codec):
        assert codec.MessageReader(True).feed(b"") == []

    def test_payloads_are_bytes(self, codec):
        reader = codec.MessageReader(False)
        items = feed_all(
            reader,
            frame(TEXT, b"whole", mask=False),
            frame(BINARY, b"parts", fin=False, mask=False),
            frame(CONTINUATION, b"", mask=False),
            frame(PING, b"control", mask=False),
        )
        assert [type(payload) for _, payload in items] == [bytes] * 3


class TestFragments:
    """RFC 6455 section 5.4."""

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize(
        "parts",
        [
            [b"a", b"b"],
            [b"", b""],
            [b"", b"", b"all"],
            [b"all", b"", b""],
            [b"", b"middle", b""],
            [b"%d" % number for number in range(300)],
        ],
        ids=["two", "empty", "last", "first", "middle", "many"],
    )
    def test_are_joined(self, codec, opcode, parts):
        for masked in (True, False):
            data = frame(opcode, parts[0], fin=False, mask=masked)
            for part in parts[1:-1]:
                data += frame(CONTINUATION, part, fin=False, mask=masked)
            data += frame(CONTINUATION, parts[-1], mask=masked)
            reader = codec.MessageReader(masked)
            assert reader.feed(data) == [(opcode, b"".join(parts))]
            assert reader.buffered == 0

    def test_control_frames_come_between_them_and_at_once(self, codec):
        """Section 5.4: "Control frames MAY be injected in the middle of a fragmented
        message." """
        reader = codec.MessageReader(True)
        assert reader.feed(frame(TEXT, b"one ", fin=False)) == []
        assert reader.feed(frame(PING, b"p")) == [(PING, b"p")]
        assert reader.feed(frame(PONG)) == [(PONG, b"")]
        assert reader.feed(frame(CONTINUATION, b"two")) == [(TEXT, b"one two")]

    def test_a_close_frame_ends_an_unfinished_message(self, codec):
        reader = codec.MessageReader(True)
        data = frame(BINARY, b"begun", fin=False) + frame(CLOSE)
        assert reader.feed(data) == [(CLOSE, b"")]
        assert reader.done
        assert reader.buffered == 0

    def test_messages_one_after_the_other(self, codec):
        one = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b")
        assert codec.MessageReader(True).feed(one * 3) == [(TEXT, b"ab")] * 3

    def test_characters_cut_by_fragments(self, codec):
        payload = ALL_WIDTHS.encode()
        parts = [payload[i : i + 1] for i in range(len(payload))]
        data = frame(TEXT, b"", fin=False)
        data += b"".join(frame(CONTINUATION, part, fin=False) for part in parts)
        data += frame(CONTINUATION)
        assert codec.MessageReader(True).feed(data) == [(TEXT, payload)]

    @pytest.mark.parametrize("fin", [True, False])
    def test_a_continuation_of_nothing(self, codec, fin):
        reader = codec.MessageReader(True)
        assert feed_all(reader, frame(CONTINUATION, b"x", fin=fin)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002

    def test_a_continuation_behind_a_whole_message(self, codec):
        reader = codec.MessageReader(True)
        data = frame(TEXT, b"x") + frame(CONTINUATION, b"y")
        assert reader.feed(data) == [(TEXT, b"x"), (codec.FAILED, b"")]
        assert violation_code(reader) == 1002

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    @pytest.mark.parametrize("fin", [True, False])
    def test_a_message_inside_another(self, codec, opcode, fin):
        reader = codec.MessageReader(True)
        data = frame(TEXT, b"x", fin=False) + frame(opcode, b"y", fin=fin)
        assert reader.feed(data) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002


class TestControlFrames:
    """RFC 6455 section 5.5."""

    @SERVER_LIKE
    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    def test_are_handed_on_whole(self, codec, masked, opcode):
        for size in (0, 1, 125):
            payload = os.urandom(size)
            reader = codec.MessageReader(masked, max_message_size=1, max_frame_size=1)
            data = frame(opcode, payload, mask=masked)
            assert feed_all(reader, *cuts(data, 1, size // 2 + 2)) == [(opcode, payload)]

    def test_nothing_behind_a_close_frame_is_feed_all(self, codec):
        """Section 5.5.1."""
        reader = codec.MessageReader(True)
        assert reader.feed(frame(CLOSE) + frame(TEXT, b"x") + b"\xff" * 99) == [(CLOSE, b"")]
        assert reader.done
        assert reader.feed(frame(TEXT, b"x")) == []
        assert reader.violation is None


def violations():
    """Each violation, and how many of its bytes are enough to tell."""
    for rsv in range(1, 8):
        for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
            yield f"rsv{rsv}-opcode{opcode}", frame(opcode, b"x", rsv=rsv), 2
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for fin in (True, False):
            yield f"opcode{opcode}-fin{fin:d}", frame(opcode, b"x", fin=fin), 2
    for opcode in (CLOSE, PING, PONG):
        yield f"fragmented{opcode}", frame(opcode, b"x", fin=False), 2
        yield f"long{opcode}", frame(opcode, b"x" * 126), 2
        yield f"huge{opcode}", frame(opcode, b"x" * 65536), 2
    for opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        yield f"unmasked{opcode}", frame(opcode, b"x", mask=False), 2
        yield f"unmasked-empty{opcode}", frame(opcode, mask=False), 2
    yield "continuation", frame(CONTINUATION, b"x"), 2
    for size in (0, 1, 125):
        yield f"wide-length-16-{size}", bare_header(TEXT, size, width=2) + KEY, 4
    for size in (0, 125, 126, 65535):
        yield f"wide-length-64-{size}", bare_header(TEXT, size, width=8) + KEY, 10
    for size in (1 << 63, (1 << 64) - 1):
        yield f"length-{size:x}", bare_header(TEXT, size, width=8) + KEY, 10


class TestViolations:
    """RFC 6455 sections 5.1, 5.2 and 5.5."""

    @pytest.mark.parametrize(
        ("data", "enough"),
        [pytest.param(data, enough, id=name) for name, data, enough in violations()],
    )
    def test_is_answered_1002_as_early_as_can_be(self, codec, data, enough):
        whole, cut, third = (codec.MessageReader(True) for _ in range(3))
        assert whole.feed(data) == [(codec.FAILED, b"")]
        assert violation_code(whole) == 1002
        assert whole.violation.reason
        assert whole.done
        assert whole.buffered == 0

        assert feed_all(cut, *cuts(data[: enough - 1], *range(1, enough - 1))) == []
        assert cut.feed(data[enough - 1 : enough]) == [(codec.FAILED, b"")]

        before, behind = frame(TEXT, b"before"), frame(TEXT, b"behind")
        assert third.feed(before + data + behind) == [(TEXT, b"before"), (codec.FAILED, b"")]
        assert third.feed(behind) == []

    @pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
    def test_a_masked_frame_to_a_client(self, codec, opcode):
        for payload in (b"", b"x"):
            reader = codec.MessageReader(False)
            assert reader.feed(frame(opcode, payload)) == [(codec.FAILED, b"")]
            assert violation_code(reader) == 1002
            assert "masked" in reader.violation.reason

    def test_a_reserved_opcode_has_its_own_name(self, codec):
        reader = codec.MessageReader(True)
        reader.feed(frame(11))
        assert isinstance(reader.violation, UnsupportedFrameTypeException)

    @pytest.mark.parametrize("rsv", [1, 2, 4])
    def test_reserved_bits_on_a_continuation(self, codec, rsv):
        reader = codec.MessageReader(True)
        data = frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"y", rsv=rsv)
        assert reader.feed(data) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002


class TestState:
    def test_a_peer_that_starts_to_mask(self, codec):
        """What a test tool does with ``Stream.expect_masking``."""
        reader = codec.MessageReader(False)
        reader.expect_mask = 1
        assert reader.feed(frame(TEXT, b"x")) == [(TEXT, b"x")]

    def test_buffered_counts_what_is_not_complete(self, codec):
        reader = codec.MessageReader(True)
        reader.feed(frame(BINARY, bytes(100), fin=False))
        assert reader.buffered == 100
        reader.feed(frame(CONTINUATION, bytes(100))[:56])
        assert reader.buffered == 150
        reader.feed(bytes(50))
        assert reader.buffered == 0
        reader.feed(frame(PING, bytes(50))[:30])
        assert reader.buffered == 30

    def test_ended_by_its_owner(self, codec):
        reader = codec.MessageReader(True)
        reader.done = True
        assert reader.feed(frame(TEXT, b"x")) == []

    def test_a_violation_keeps_nothing_alive(self, codec):
        """Its traceback would hold the received bytes and the reader, in a cycle."""
        extension = Toy()
        reader = codec.MessageReader(True, extension=extension)
        reader.feed(frame(TEXT, b"\xff"))
        assert violation_code(reader) == 1007
        assert reader.violation.__traceback__ is None
        assert reader.violation.__context__ is None
        gone = weakref.ref(extension)
        assert not gc.isenabled()
        del extension, reader
        assert gone() is None


class TestText:
    """RFC 6455 section 8.1; more of it in ``test_codec_text.py``."""

    @pytest.mark.parametrize("wrong", NOT_UTF8)
    def test_received(self, codec, wrong):
        in_one = frame(TEXT, b"ok" + wrong)
        in_two = frame(TEXT, b"ok" + wrong[:1], fin=False) + frame(CONTINUATION, wrong[1:])
        for data in (in_one, in_two):
            reader = codec.MessageReader(True)
            assert reader.feed(data) == [(codec.FAILED, b"")]
            assert violation_code(reader) == 1007


class TestLimits:
    """RFC 6455 section 10.4; more of it in ``test_codec_limits.py``."""

    @pytest.mark.parametrize(
        ("limit", "code"),
        [("max_message_size", 1009), ("max_frame_size", 1009), ("max_fragments", 1008)],
    )
    def test_each(self, codec, limit, code):
        reader = codec.MessageReader(True, **{limit: 2})
        assert reader.feed(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b")) == [
            (TEXT, b"ab")
        ]
        data = frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION, b"abc")
        assert reader.feed(data) == [(codec.FAILED, b"")]
        assert violation_code(reader) == code
        assert limit in reader.violation.reason


class TestExtension:
    """RFC 6455 section 9: an extension that owns RSV1 of a message's first frame."""

    def toy(self, data):
        return mask_slowly(data, b"\x55\x55\x55\x55")

    def reader(self, codec, **limits):
        return codec.MessageReader(True, extension=Toy(), **limits)

    def test_a_marked_message(self, codec):
        data = frame(TEXT, self.toy(b"text"), rsv=4)
        assert self.reader(codec).feed(data) == [(TEXT, b"text")]

    def test_an_unmarked_message(self, codec):
        assert self.reader(codec).feed(frame(TEXT, b"text")) == [(TEXT, b"text")]

    def test_marked_and_unmarked_in_turn(self, codec):
        data = frame(BINARY, self.toy(b"one"), rsv=4) + frame(BINARY, b"two")
        assert self.reader(codec).feed(data * 2) == [(BINARY, b"one"), (BINARY, b"two")] * 2

    def test_an_empty_marked_message(self, codec):
        assert self.reader(codec).feed(frame(TEXT, rsv=4)) == [(TEXT, b"")]

    def test_fragments(self, codec):
        text = ALL_WIDTHS.encode()
        data = frame(TEXT, self.toy(text[:5]), fin=False, rsv=4) + frame(PING, b"p")
        data += frame(CONTINUATION, self.toy(text[5:6]), fin=False)
        data += frame(CONTINUATION, self.toy(text[6:]))
        expected = [(PING, b"p"), (TEXT, text)]
        for border in range(len(data)):
            assert feed_all(self.reader(codec), *cuts(data, border)) == expected

    def test_text_is_checked_behind_it(self, codec):
        reader = self.reader(codec)
        assert reader.feed(frame(TEXT, self.toy(b"\xff"), rsv=4)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1007

    @pytest.mark.parametrize("rsv", [1, 2, 3, 5, 6, 7])
    def test_bits_that_it_does_not_own(self, codec, rsv):
        reader = self.reader(codec)
        assert reader.feed(frame(TEXT, b"x", rsv=rsv)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002

    @pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
    def test_its_bit_on_a_control_frame(self, codec, opcode):
        reader = self.reader(codec)
        assert reader.feed(frame(opcode, rsv=4)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002

    def test_its_bit_on_a_continuation(self, codec):
        reader = self.reader(codec)
        data = frame(TEXT, b"x", fin=False, rsv=4) + frame(CONTINUATION, b"x", rsv=4)
        assert reader.feed(data) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1002

    def test_it_is_told_how_much_may_come_out(self, codec):
        """The limit is judged inside, for the whole message."""
        asked = []

        class Nosy(Toy):
            def decode(self, data, final, limit):
                asked.append((len(data), final, limit))
                return super().decode(data, final, limit)

        reader = codec.MessageReader(True, max_message_size=10, extension=Nosy())
        data = frame(BINARY, bytes(4), fin=False, rsv=4) + frame(CONTINUATION, bytes(6))
        assert reader.feed(data) == [(BINARY, b"\x55" * 10)]
        assert asked == [(4, False, 10), (6, True, 6)]

    def test_it_may_refuse(self, codec):
        class Growing(Toy):
            def decode(self, data, final, limit):
                return super().decode(data * 100, final, limit)

        reader = codec.MessageReader(True, max_message_size=399, extension=Growing())
        assert reader.feed(frame(BINARY, bytes(4), rsv=4)) == [(codec.FAILED, b"")]
        assert violation_code(reader) == 1009

    def test_without_a_limit(self, codec):
        data = frame(BINARY, bytes(4), fin=False, rsv=4) + frame(CONTINUATION, bytes(4))
        assert self.reader(codec).feed(data) == [(BINARY, b"\x55" * 8)]


def test_at_rest_between_messages_only(codec):
    reader = codec.MessageReader(True)
    assert reader.at_rest
    reader.feed(frame(TEXT, b"a", fin=False))
    assert not reader.at_rest
    reader.feed(frame(CONTINUATION, b"b"))
    assert reader.at_rest
    reader.feed(frame(TEXT, b"c")[:1])
    assert not reader.at_rest


class TestALittleAtATime:
    """What is left aside is fed again, and comes before all else."""

    def rounds(self, reader, data):
        while data:
            yield [payload for _, payload in reader.feed(data)]
            data = reader.take_unread()

    def test_no_more_messages_than_wanted(self, codec):
        reader = codec.MessageReader(True)
        reader.most = 2
        data = b"".join(frame(TEXT, each) for each in (b"1", b"2", b"3", b"4", b"5"))
        assert [*self.rounds(reader, data)] == [[b"1", b"2"], [b"3", b"4"], [b"5"]]

    def test_no_more_than_a_mebibyte_of_what_comes_out_and_a_message(self, codec):
        class Growing(Toy):
            def decode(self, data, final, limit):
                return bytes(600_000)

        reader = codec.MessageReader(True, extension=Growing())
        found = [*self.rounds(reader, frame(BINARY, b"x", rsv=4) * 5)]
        assert [[*map(len, each)] for each in found] == [[600_000] * 2, [600_000] * 2, [600_000]]

    def test_fed_on_without_a_question(self, codec):
        reader = codec.MessageReader(True)
        reader.most = 1
        assert reader.feed(frame(TEXT, b"1") + frame(TEXT, b"2")) == [(TEXT, b"1")]
        assert reader.feed(frame(TEXT, b"3")) == [(TEXT, b"2")]
        assert reader.feed(reader.take_unread()) == [(TEXT, b"3")]

    def test_an_unfinished_header_is_not_given_back(self, codec):
        reader = codec.MessageReader(True)
        assert reader.feed(frame(TEXT, b"1")[:1]) == []
        assert reader.take_unread() == b""
        assert reader.feed(frame(TEXT, b"1")[1:]) == [(TEXT, b"1")]


def test_stopped(codec):
    reader = codec.MessageReader(True)
    reader.feed(frame(TEXT, b"begun", fin=False))
    assert reader.buffered == 5
    reader.stop()
    assert reader.buffered == 0
    assert reader.feed(frame(CONTINUATION, b"more")) == []
