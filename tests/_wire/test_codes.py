import pytest

from ws4py._wire import codes

# The registry of RFC 6455 section 11.7, and what IANA added to it (1012 to 1014).
MAY_TRAVEL = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


class TestCloseCodes:
    """RFC 6455 section 7.4."""

    def test_every_number(self):
        allowed = {code for code in range(-1, 65537) if codes.may_travel(code)}
        assert allowed == MAY_TRAVEL | set(range(3000, 5000))

    @pytest.mark.parametrize("code", [codes.NO_STATUS_RECEIVED, codes.ABNORMAL_CLOSURE, 1015])
    def test_those_that_only_a_program_sees(self, code):
        """Section 7.4.1: they "MUST NOT be set as a status code in a Close control frame"."""
        assert not codes.may_travel(code)


class TestNumbers:
    def test_opcodes(self):
        """Section 5.2."""
        numbers = codes.CONTINUATION, codes.TEXT, codes.BINARY, codes.CLOSE, codes.PING, codes.PONG
        assert numbers == (0x0, 0x1, 0x2, 0x8, 0x9, 0xA)

    def test_reserved_bits(self):
        """Section 5.2, as they stand in the first byte."""
        assert (codes.RSV1, codes.RSV2, codes.RSV3) == (0b0100_0000, 0b0010_0000, 0b0001_0000)

    def test_versions_and_key_are_those_of_0_6(self):
        assert codes.WS_VERSION == (8, 13)
        assert codes.WS_KEY == b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

    def test_what_is_offered_is_there(self):
        assert sorted(set(codes.__all__)) == codes.__all__
        public = {name for name in vars(codes) if name.isupper() and not name.startswith("_")}
        assert public | {"may_travel"} == set(codes.__all__)
