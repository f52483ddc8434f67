import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.work import assert_linear, lines_executed
from ws4py.exc import HandshakeError
from ws4py.protocol.headers import (
    Headers,
    build_extension,
    is_host,
    is_token,
    parse_extensions,
    parse_tokens,
)

# RFC 7230 section 3.2.6, written down once more.
TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
SEPARATORS = '()<>@,;:\\"/[]?={} \t'

tokens = st.text(st.sampled_from(TOKEN), min_size=1, max_size=8)
parameters = st.lists(st.tuples(tokens, st.one_of(st.none(), tokens)), max_size=4)


def answer(parse, value):
    """What a parser gives back: a value or its refusal, never anything else."""
    try:
        return parse(value)
    except HandshakeError as error:
        assert error.status == 400  # noqa: PT017 - either outcome is an answer here
        return None


class TestFields:
    """RFC 7230 section 3.2."""

    def test_names_are_the_same_in_either_case(self):
        headers = Headers([("UPGRADE", "websocket")])
        assert "upgrade" in headers
        assert headers.single("Upgrade") == "websocket"
        assert headers.all("uPGRADE") == ["websocket"]

    def test_blanks_around_a_value_do_not_count(self):
        assert Headers([("A", " \t b c \t ")]).single("a") == "b c"

    def test_a_field_that_is_not_there(self):
        headers = Headers()
        assert "Host" not in headers
        assert headers.single("Host") is None
        assert headers.all("Host") == []
        assert headers.joined("Host") == ""

    def test_a_field_may_be_repeated(self):
        headers = Headers([("A", "1"), ("B", "x"), ("a", "2")])
        assert headers.all("A") == ["1", "2"]
        assert headers.joined("A") == "1, 2"

    def test_unless_it_may_stand_once_only(self):
        headers = Headers([("Host", "a"), ("host", "a")])
        with pytest.raises(HandshakeError, match="Host header is repeated"):
            headers.single("Host")


class TestTokens:
    def test_every_character(self):
        allowed = {chr(code) for code in range(0x250) if is_token(chr(code))}
        assert allowed == set(TOKEN)

    def test_an_empty_text_is_none(self):
        assert not is_token("")

    @pytest.mark.parametrize("separator", SEPARATORS)
    def test_separators_inside(self, separator):
        assert not is_token(f"a{separator}b")

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("", []),
            (",", []),
            (" ,, \t, ", []),
            ("a", ["a"]),
            ("a,b", ["a", "b"]),
            (" a ,\tb,, c ", ["a", "b", "c"]),
            ("keep-alive, Upgrade", ["keep-alive", "Upgrade"]),
        ],
    )
    def test_lists(self, value, expected):
        assert parse_tokens(value) == expected

    @pytest.mark.parametrize("value", ["a b", "a;b", '"a"', "a, b c", "é", "a\0", "a\r\nb", "a/1"])
    def test_lists_of_something_else(self, value):
        with pytest.raises(HandshakeError, match="not a token"):
            parse_tokens(value)

    @given(st.lists(tokens), st.sampled_from([",", ", ", " ,\t", ",,"]))
    def test_any_list(self, names, comma):
        assert parse_tokens(comma.join(names)) == names

    @given(st.text())
    def test_any_text(self, value):
        assert all(map(is_token, answer(parse_tokens, value) or []))


class TestHost:
    """RFC 7230 section 5.4, RFC 3986 section 3.2.2."""

    @pytest.mark.parametrize(
        "host",
        ["a", "example.org", "example.org:80", "127.0.0.1:9000", "[::1]:9000", "a_b", "a%20"],
    )
    def test_good(self, host):
        assert is_host(host)

    @pytest.mark.parametrize(
        "host",
        ["", "a b", "a, b", "a,b", "a/b", "u@a", "a?b", "a#b", "a\\b", "a\0", "é", '"', "\r\n"],
    )
    def test_bad(self, host):
        assert not is_host(host)


class TestExtensions:
    """RFC 6455 section 9.1."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("", []),
            (" , ,", []),
            ("foo", [("foo", [])]),
            ("foo, bar; baz=2", [("foo", []), ("bar", [("baz", "2")])]),
            ("foo; a; b=1; a", [("foo", [("a", None), ("b", "1"), ("a", None)])]),
            ('foo; a="1"', [("foo", [("a", "1")])]),
            ('foo; a="\\1\\0"', [("foo", [("a", "10")])]),
            ("foo ;\ta = 1 , bar", [("foo", [("a", "1")]), ("bar", [])]),
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
                [
                    (
                        "permessage-deflate",
                        [("client_max_window_bits", None), ("server_max_window_bits", "10")],
                    )
                ],
            ),
        ],
    )
    def test_lists(self, value, expected):
        assert parse_extensions(value) == expected

    @pytest.mark.parametrize(
        "value",
        [
            ";",
            "foo;",
            "foo;;a",
            "; a",
            "foo bar",
            "foo; a b",
            "foo; =1",
            "foo; a=",
            "foo; a=1 2",
            "foo; a==1",
            'foo; a="',
            'foo; a=""',
            'foo; a="b c"',
            'foo; a="b,c"',
            'foo; a="b;c"',
            'foo; a="1"2',
            'foo; a=1"2"',
            'foo; a="1""2"',
            'foo; a="1\\"',
            'foo; a="1\\\\2"',
            'foo; a="\\""',
            '"foo"',
            "foo=1",
            "föö",
            "foo; a=\x00",
            "foo\r\nSet-Cookie: a",
        ],
    )
    def test_what_does_not_follow_the_grammar(self, value):
        with pytest.raises(HandshakeError, match="extension"):
            parse_extensions(value)

    @given(
        st.lists(
            st.tuples(
                tokens, st.lists(st.tuples(tokens, st.one_of(st.none(), tokens)), max_size=4)
            ),
            max_size=4,
        )
    )
    def test_what_is_built_can_be_read(self, extensions):
        value = ", ".join(build_extension(*each) for each in extensions)
        assert parse_extensions(value) == extensions

    @given(st.one_of(st.text(), st.text(st.sampled_from('ab,;="\\ \t'))))
    def test_any_text(self, value):
        for name, pairs in answer(parse_extensions, value) or []:
            assert is_token(name)
            for key, given_value in pairs:
                assert is_token(key)
                assert given_value is None or is_token(given_value)


# Shapes that cost other parsers much time: CVE-2021-32640,
# CVE-2020-7662, CVE-2020-7663, CVE-2025-67725.
HOSTILE = [
    " ",
    "\t",
    ",",
    ";",
    '"',
    "\\",
    "=",
    "a",
    "a ",
    " a",
    "a,",
    "a, ",
    ", ,",
    " ,",
    "a;",
    "a;b",
    ";a",
    "a;b,",
    "a;b=c,",
    "a;b=c;",
    ';b="c"',
    'a;b="c",',
    'a="',
    '""',
    '"a"',
    '"a',
    '"\\',
    '\\"',
    '"\\"',
    '"\\\\"',
    ';a="\\b"',
    ";a=\\",
    "a b",
    "a\t,",
    "a=b=c",
    ";;;",
    "é",
    "\0",
    "constructor,",
    'a,;="\\ ',
]


class TestHostileShapes:
    """Reading a header is linear, whatever is in it."""

    @pytest.mark.parametrize("parse", [parse_tokens, parse_extensions], ids=lambda f: f.__name__)
    @pytest.mark.parametrize("start", ["", "a;b=", 'a;b="'], ids=["bare", "value", "quoted"])
    def test_are_answered_in_linear_work(self, parse, start):
        assert len(set(HOSTILE)) == 40
        for shape in HOSTILE:
            value = start + shape * (2048 // len(shape))
            lines = lines_executed(lambda value=value: answer(parse, value))
            # Some ten lines a character, where a quadratic reader would need thousands.
            assert lines <= 20 * len(value), shape

    def test_of_full_size_are_answered(self):
        for shape in HOSTILE:
            value = shape * (8192 // len(shape))
            answer(parse_tokens, value)
            answer(parse_extensions, value)

    def test_a_field_repeated_a_thousand_times(self):
        def prepared(size):
            headers = [("Sec-WebSocket-Extensions", "a;b")] * size
            return lambda: parse_extensions(Headers(headers).joined("Sec-WebSocket-Extensions"))

        assert_linear(prepared, 1000)
