import pytest
from hypothesis import given
from hypothesis import strategies as st

from ws4py._wire.closing import Close, build_close_payload, parse_close_payload
from ws4py.exc import ProtocolException

NEVER = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2999, 5000, 65535]
ALLOWED = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]


class TestReceived:
    """RFC 6455 section 5.5.1 and 7.4."""

    def test_without_a_code(self):
        """Section 7.1.5: "considered to be 1005"."""
        assert parse_close_payload(b"") == Close(1005, "")

    @pytest.mark.parametrize("code", ALLOWED)
    def test_code_and_reason(self, code):
        payload = code.to_bytes(2, "big") + "tschüß".encode()
        assert parse_close_payload(payload) == Close(code, "tschüß")
        assert parse_close_payload(payload[:2]) == Close(code, "")

    @pytest.mark.parametrize("code", NEVER)
    def test_codes_that_may_not_travel(self, code):
        with pytest.raises(ProtocolException, match=str(code)) as caught:
            parse_close_payload(code.to_bytes(2, "big") + b"reason")
        assert caught.value.code == 1002

    def test_a_single_byte(self):
        with pytest.raises(ProtocolException, match="one byte") as caught:
            parse_close_payload(b"\x03")
        assert caught.value.code == 1002

    @pytest.mark.parametrize("reason", [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xc0\x80"])
    def test_a_reason_that_is_not_utf8(self, reason):
        with pytest.raises(ProtocolException, match="UTF-8") as caught:
            parse_close_payload(b"\x03\xe8" + reason)
        assert caught.value.code == 1007

    @given(st.binary(max_size=125))
    def test_any_payload(self, payload):
        """It is understood or refused with one of two codes."""
        try:
            close = parse_close_payload(payload)
        except ProtocolException as refused:
            expected = {1002} if payload[:2] < b"\x03\xe8" or len(payload) < 2 else {1002, 1007}
            assert refused.code in expected  # noqa: PT017 - either outcome is allowed
        else:
            assert build_close_payload(*close) == payload


class TestSent:
    """RFC 6455 section 5.5.1 and 7.4."""

    @pytest.mark.parametrize("code", ALLOWED)
    def test_code_and_reason(self, code):
        expected = code.to_bytes(2, "big") + b"bye"
        assert build_close_payload(code, "bye") == build_close_payload(code, b"bye") == expected

    def test_without_a_reason(self):
        assert build_close_payload(1000) == b"\x03\xe8"

    def test_no_status(self):
        assert build_close_payload(1005, "is not sent") == b""

    @pytest.mark.parametrize("code", [*(set(NEVER) - {1005}), -1, 1 << 16])
    def test_codes_that_may_not_travel(self, code):
        with pytest.raises(ValueError, match="may not be sent"):
            build_close_payload(code)

    @pytest.mark.parametrize("letter", ["a", "ż", "€", "😀"])
    def test_a_long_reason_is_cut_between_characters(self, letter):
        """A control frame holds 125 bytes, two of them the code."""
        payload = build_close_payload(1000, letter * 200)
        reason = payload[2:].decode("utf-8")
        assert set(reason) == {letter}
        assert 125 - len(letter.encode()) < len(payload) <= 125

    @pytest.mark.parametrize("reason", [b"\xff\xfe", "\ud800"])
    def test_what_cannot_be_utf8_is_replaced(self, reason):
        assert parse_close_payload(build_close_payload(1011, reason)).code == 1011

    @given(st.sampled_from(ALLOWED), st.one_of(st.text(), st.binary()))
    def test_any_reason_arrives_as_text(self, code, reason):
        close = parse_close_payload(build_close_payload(code, reason))
        text = reason if isinstance(reason, str) else reason.decode("utf-8", "replace")
        assert close.code == code
        assert text.startswith(close.reason)
