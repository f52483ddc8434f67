"""Text: the first wrong byte is refused when it arrives, wherever it stands."""

import pytest

from tests.support.wire import (
    BINARY,
    CONTINUATION,
    NOT_UTF8,
    TEXT,
    cuts,
    feed_all,
    frame,
    violation_code,
)


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
