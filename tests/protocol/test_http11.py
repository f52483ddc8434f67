import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import cuts
from tests.support.work import assert_linear
from ws4py.exc import HandshakeError
from ws4py.protocol.http11 import HeadReader, build_head

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nA:1\r\na: \t2 \r\n\r\n"


def refusal(data):
    with pytest.raises(HandshakeError) as caught:
        HeadReader().feed(data)
    return caught.value


class TestReading:
    """RFC 7230 section 3."""

    def test_a_whole_head(self):
        reader = HeadReader()
        assert reader.feed(HEAD)
        assert reader.start_line == "HTTP/1.1 101 Switching Protocols"
        assert reader.status() == 101
        assert reader.headers.single("upgrade") == "websocket"
        assert reader.headers.all("A") == ["1", "2"]
        assert reader.rest == b""

    def test_cut_anywhere(self):
        for border in range(len(HEAD)):
            reader = HeadReader()
            first, second = cuts(HEAD, border)
            assert not reader.feed(first)
            assert (reader.start_line, reader.rest) == ("", b"")
            assert "Upgrade" not in reader.headers
            assert reader.feed(second + b"frames")
            assert reader.headers.single("Upgrade") == "websocket"
            assert reader.rest == b"frames"

    def test_byte_by_byte(self):
        reader = HeadReader()
        done = [reader.feed(HEAD[i : i + 1]) for i in range(len(HEAD))]
        assert done == [False] * (len(HEAD) - 1) + [True]
        assert reader.status() == 101

    def test_without_fields(self):
        reader = HeadReader()
        assert reader.feed(b"HTTP/1.1 200 OK\r\n\r\n")
        assert reader.status() == 200

    def test_values_may_have_any_byte_above_127(self):
        reader = HeadReader()
        reader.feed(b"HTTP/1.1 101 \xff\r\nA: \xe9\r\n\r\n")
        assert reader.headers.single("A") == "é"

    def test_what_is_behind_the_head_is_no_part_of_it(self):
        reader = HeadReader()
        behind = b"\x81\x05Hello" + b"\r\n\r\n" + b"x" * 20_000
        assert reader.feed(HEAD + behind)
        assert reader.rest == behind


class TestMalformed:
    """RFC 7230 section 3.2.4: each is an error with a status, nothing else."""

    @pytest.mark.parametrize(
        "line",
        [
            b"no colon",
            b": no name",
            b"Name : blank before the colon",
            b" folded",
            b"\tfolded",
            b"Na me: x",
            b"Name\0: x",
            b"Name: \0",
            b"Name: a\rb",
            b"Name: a\nB: c",
            b"N\xe4me: x",
        ],
    )
    def test_fields(self, line):
        error = refusal(b"HTTP/1.1 101 OK\r\n" + line + b"\r\n\r\n")
        assert error.status == 400
        assert "malformed" in error.msg

    @pytest.mark.parametrize("line", [b"HTTP/1.1 101 a\nb", b"HTTP/1.1 101 a\0b", b"\r"])
    def test_start_lines(self, line):
        assert refusal(line + b"\r\n\r\n").status == 400

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"HTTP/1.1",
            b"HTTP/1.0 101 OK",
            b"HTTP/2 101 OK",
            b"http/1.1 101 OK",
            b"ICY 200 OK",
            b"GET / HTTP/1.1",
            b"HTTP/1.1 1O1 OK",
            b"HTTP/1.1 0101 OK",
            b"HTTP/1.1 +10 OK",
            b"HTTP/1.1  101 OK",
            b"HTTP/1.1 \xb2\xb2\xb2 OK",
        ],
    )
    def test_status_lines(self, line):
        reader = HeadReader()
        assert reader.feed(line + b"\r\n\r\n")
        with pytest.raises(HandshakeError, match="not an HTTP"):
            reader.status()

    def test_a_reason_is_not_needed(self):
        reader = HeadReader()
        reader.feed(b"HTTP/1.1 404\r\n\r\n")
        assert reader.status() == 404

    @given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
    def test_any_bytes(self, data, borders):
        self.same_cut_and_uncut(data, borders)

    @given(
        st.lists(st.sampled_from([b"HTTP/1.1 101 x", b"A: b", b"\r\n", b"\n", b" ", b":", b"\0"])),
        st.lists(st.integers(0, 100)),
    )
    def test_almost_heads(self, parts, borders):
        self.same_cut_and_uncut(b"".join(parts), borders)

    def same_cut_and_uncut(self, data, borders):
        """The invariant: a head or a :class:`HandshakeError`, the same however cut."""
        whole = self.outcome([data])
        assert self.outcome(cuts(data, *(each for each in borders if each < len(data)))) == whole

    def outcome(self, pieces):
        reader = HeadReader()
        try:
            for index, piece in enumerate(pieces):
                if reader.feed(piece):
                    return reader.start_line, reader.rest + b"".join(pieces[index + 1 :])
        except HandshakeError as error:
            return error.status
        return None


class TestLimits:
    """RFC 6585 section 5: 431, and no more is held."""

    def head(self, size):
        """A head of ``size`` bytes, the empty line not counted."""
        start, line = b"HTTP/1.1 101 OK", b"\r\nA: " + b"x" * 1000
        head = start + line * ((size - len(start)) // len(line))
        rest = size - len(head)
        return head[: len(head)] + b"x" * rest + b"\r\n\r\n"

    def test_a_head_of_16_kib(self):
        assert HeadReader().feed(self.head(16 * 1024))
        assert refusal(self.head(16 * 1024 + 1)).status == 431

    @pytest.mark.parametrize("border", range(1, 5))
    def test_exactly_the_limit_in_two_pieces(self, border):
        """The first may end inside the empty line, which is no part of the head."""
        whole, reader = self.head(16 * 1024), HeadReader()
        reader.feed(whole[:-border])
        assert reader.feed(whole[-border:])

    def test_a_head_without_end(self):
        reader, piece = HeadReader(), b"A: b\r\n" * 100
        for _ in range(16 * 1024 // len(piece)):
            assert not reader.feed(piece)
        with pytest.raises(HandshakeError, match="16 KiB") as caught:
            reader.feed(piece)
        assert caught.value.status == 431

    def test_a_line_of_8_kib(self):
        line = b"HTTP/1.1 101 OK\r\nA: "
        fits, too_long = b"x" * (8192 - 3), b"x" * (8192 - 2)
        assert HeadReader().feed(line + fits + b"\r\n\r\n")
        assert refusal(line + too_long + b"\r\n\r\n").status == 431

    def test_128_fields(self):
        start = b"HTTP/1.1 101 OK\r\n"
        assert HeadReader().feed(start + b"A: b\r\n" * 128 + b"\r\n")
        assert refusal(start + b"A: b\r\n" * 129 + b"\r\n").status == 431

    def test_work_is_linear(self):
        def prepared(size):
            data = b"HTTP/1.1 101 OK\r\n" + b"A: b\r\n" * (size // 6) + b"\r\n"
            reader, pieces = HeadReader(), [bytes((each,)) for each in data]
            return lambda: [reader.feed(piece) for piece in pieces]

        assert_linear(prepared, 350)


class TestBuilding:
    def test_a_request(self):
        head = build_head("GET /ws HTTP/1.1", [("Host", "a"), ("X", "é")])
        assert head == b"GET /ws HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"

    def test_what_is_built_can_be_read(self):
        reader = HeadReader()
        assert reader.feed(build_head("HTTP/1.1 101 OK", [("A", "b"), ("C", "d")]))
        assert (reader.headers.single("a"), reader.headers.single("c")) == ("b", "d")

    @pytest.mark.parametrize("bad", ["\r", "\n", "\0", "a\r\nSet-Cookie: b"])
    def test_nothing_can_be_smuggled_in(self, bad):
        for start_line, fields in [
            (f"GET /{bad} HTTP/1.1", []),
            ("GET / HTTP/1.1", [(f"A{bad}", "b")]),
            ("GET / HTTP/1.1", [("A", f"b{bad}")]),
        ]:
            with pytest.raises(ValueError, match="line break or NUL"):
                build_head(start_line, fields)
