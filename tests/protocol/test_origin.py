import pytest

from ws4py.exc import HandshakeError
from ws4py.protocol.origin import check_origin

OWN = "https://good.example"


def is_allowed(origin, own=OWN, allowed=None):
    try:
        check_origin(origin, own, allowed)
    except HandshakeError as error:
        assert error.status == 403  # noqa: PT017 - either outcome is an answer here
        return False
    return True


class TestOwnOrigin:
    """RFC 6455 sections 4.2.2 and 10.2."""

    @pytest.mark.parametrize(
        "origin",
        [
            "https://good.example",
            "https://good.example:443",
            "HTTPS://Good.Example",
            " https://good.example ",
        ],
    )
    def test_is_allowed_however_it_is_written(self, origin):
        assert is_allowed(origin)

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "https://good.example.evil",
            "https://evil-good.example",
            "https://sub.good.example",
            "https://good.example@evil.example",
            "https://good.example:pass@evil.example",
            "https://evil.example@good.example",
            "https://evil.example/good.example",
            "https://evil.example?https://good.example",
            "https://evil.example#https://good.example",
            "https://good.example/",
            "https://good.example/path",
            "https://good.example?query",
            "https://good.example#fragment",
            "http://good.example",
            "wss://good.example",
            "https://good.example:8443",
            "https://good.example:80",
            "https://good.example:0",
            "https://good.example:99999",
            "https://good.example:port",
            "https://good.exa\tmple",
            "https://good.example\n",
            "https://good.example\0",
            "https://[good.example",
            "https://",
            "good.example",
            "//good.example",
            "null",
            "",
            "*",
            "https://good.example https://evil.example",
        ],
    )
    def test_nothing_else_is(self, origin):
        assert not is_allowed(origin)

    @pytest.mark.parametrize(
        ("own", "origin"),
        [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
            ("http://example.org:80", "http://example.org"),
            ("ws://example.org", "ws://example.org:80"),
            ("wss://example.org", "wss://example.org:443"),
            ("other://example.org", "other://example.org"),
        ],
    )
    def test_ports_and_addresses(self, own, origin):
        assert is_allowed(origin, own)

    def test_a_scheme_without_a_default_port(self):
        assert not is_allowed("other://example.org:443", "other://example.org")

    def test_port_zero_is_no_default(self):
        assert not is_allowed("http://example.org", "http://example.org:0")

    @pytest.mark.parametrize("own", [None, "", "http://", "http://[malformed", "null"])
    def test_when_nobody_knows_it(self, own):
        """A Host header that makes no sense lets nobody in."""
        assert not is_allowed("https://good.example", own)
        assert not is_allowed("null", own)


class TestAllowedList:
    def test_replaces_the_own_origin(self):
        allowed = ["https://a.example", "http://b.example:8080"]
        assert is_allowed("https://a.example", allowed=allowed)
        assert is_allowed("http://b.example:8080", allowed=allowed)
        assert not is_allowed("http://b.example", allowed=allowed)
        assert not is_allowed(OWN, allowed=allowed)

    def test_may_be_a_single_origin(self):
        assert is_allowed("https://a.example", allowed="https://a.example")
        assert not is_allowed("https", allowed="https://a.example")

    def test_may_be_any_iterable(self):
        assert is_allowed(
            "https://b.example", allowed=iter(["https://a.example", "https://b.example"])
        )

    def test_may_be_empty(self):
        assert not is_allowed(OWN, allowed=[])

    @pytest.mark.parametrize("allowed", ["*", ["*"], ["https://a.example", "*"]])
    def test_may_be_everything(self, allowed):
        assert is_allowed("https://evil.example", allowed=allowed)
        assert is_allowed("null", allowed=allowed)

    def test_has_no_wildcards_inside(self):
        assert not is_allowed("https://a.example", allowed=["https://*.example", "https://*"])


@pytest.mark.parametrize("allowed", [None, [], ["https://a.example"], "*"])
def test_clients_that_are_no_browsers_send_none(allowed):
    """Section 4.2.1: a request without the field is not from a browser."""
    assert is_allowed(None, allowed=allowed)


def test_the_refusal_names_the_setting_and_the_origin():
    with pytest.raises(HandshakeError, match=r"'https://evil\.example' .* 'origins'"):
        check_origin("https://evil.example", OWN, None)


def test_the_refusal_is_short_whatever_was_sent():
    with pytest.raises(HandshakeError) as caught:
        check_origin("https://" + "x" * 10_000, OWN, None)
    assert len(caught.value.msg) < 300
