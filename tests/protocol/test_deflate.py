"""permessage-deflate, in real bytes: RFC 7692, against zlib alone."""

import zlib

import pytest

from tests.support.deflating import (
    REMEMBER,
    RSV1,
    accept,
    agree,
    deflate,
    extension,
    inflate,
    pair_of,
    parameters,
    text_of,
    violation,
)
from tests.support.pair import BOTH_ENDS, BOTH_ROLES, peer_frame
from tests.support.wire import ALL_WIDTHS, BINARY, NOT_UTF8, PING, TEXT
from ws4py.exc import FrameTooLargeException, HandshakeError, ProtocolException
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import NAME, PerMessageDeflate
from ws4py.protocol.extensions import factories

#: RFC 7692 section 7.2.3: "Hello", in the ways that it may be compressed.
HELLO = [
    pytest.param("f248cdc9c90700", id="7.2.3.1"),
    pytest.param("000500faff48656c6c6f00", id="7.2.3.3-no-compression"),
    pytest.param("f348cdc9c9070000", id="7.2.3.4-last-block"),
    pytest.param("f24805000000ffffcac9c90700", id="7.2.3.5-two-blocks"),
]

BOTH_WAYS = pytest.mark.parametrize(
    "configured", [REMEMBER, PerMessageDeflate()], ids=["keep", "forget"]
)


class TestConfigured:
    """What a program writes."""

    @pytest.mark.parametrize(
        "value",
        [
            NAME,
            [NAME],
            (NAME, "x-unknown"),
            PerMessageDeflate(),
            [PerMessageDeflate()],
            iter([NAME]),
        ],
    )
    def test_a_name_or_an_options_object(self, value):
        assert factories(value) == [PerMessageDeflate()]

    @pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
    @pytest.mark.parametrize("value", [-1, 0, 7, 16, 99999999999])
    def test_windows_outside_the_range(self, name, value):
        with pytest.raises(ValueError, match=f"{name} has to be 8 to 15: {value}"):
            PerMessageDeflate(**{name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [("level", -1), ("level", 10), ("mem_level", 0), ("mem_level", 10), ("threshold", -1)],
    )
    def test_other_values_outside_their_range(self, name, value):
        with pytest.raises(ValueError, match=f"{name} has to be .*: {value}"):
            PerMessageDeflate(**{name: value})

    def test_options_are_equal_by_value_and_cannot_be_changed(self):
        assert PerMessageDeflate(level=1) == PerMessageDeflate(level=1) != PerMessageDeflate()
        with pytest.raises(AttributeError):
            PerMessageDeflate().level = 1

    def test_its_name_is_the_registered_one(self):
        assert PerMessageDeflate().name == "permessage-deflate"


class TestAnswer:
    """RFC 7692 sections 5.1 and 7.1: what a server makes of one offer."""

    FORGET = "server_no_context_takeover; client_no_context_takeover"

    @pytest.mark.parametrize(
        ("offered", "answered"),
        [
            # Section 7.1.2.2: the client's window is answered only where it was offered.
            ("", f"{FORGET}; server_max_window_bits=12"),
            (
                "client_max_window_bits",
                f"{FORGET}; server_max_window_bits=12; client_max_window_bits=12",
            ),
            (
                "client_max_window_bits=10",
                f"{FORGET}; server_max_window_bits=12; client_max_window_bits=10",
            ),
            (
                "client_max_window_bits=15; server_max_window_bits=9",
                f"{FORGET}; server_max_window_bits=9; client_max_window_bits=12",
            ),
            ("server_max_window_bits=15", f"{FORGET}; server_max_window_bits=12"),
            ('server_max_window_bits="8"', f"{FORGET}; server_max_window_bits=8"),
            (FORGET, f"{FORGET}; server_max_window_bits=12"),
        ],
    )
    def test_by_default(self, offered, answered):
        assert accept(offered) == answered

    @pytest.mark.parametrize(
        ("offered", "answered"),
        [
            ("", ""),
            ("client_max_window_bits", "client_max_window_bits=15"),
            ("server_max_window_bits=15", "server_max_window_bits=15"),
            ("server_no_context_takeover", "server_no_context_takeover"),
            ("client_no_context_takeover", "client_no_context_takeover"),
        ],
    )
    def test_where_everything_is_to_be_remembered(self, offered, answered):
        accepted = REMEMBER.accept(parameters(offered))
        assert text_of(accepted[0]) == answered

    @pytest.mark.parametrize("name", ["server_max_window_bits", "client_max_window_bits"])
    @pytest.mark.parametrize(
        "value", ["0", "7", "08", "16", "-1", "+9", "9.0", "a", "٩", "99999999999"]
    )
    def test_cve_2026_2229_a_window_that_cannot_be_declines(self, name, value):
        # It crashed zlib elsewhere. Section 7.1.2: "a decimal integer value without leading
        # zeroes between 8 to 15"
        assert PerMessageDeflate().accept([(name, value)]) is None

    @pytest.mark.parametrize(
        "offered",
        [
            "server_max_window_bits",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "x-unknown",
            "x-unknown=1",
            "Server_No_Context_Takeover",
            "server_no_context_takeover; server_no_context_takeover",
            "client_no_context_takeover; x; client_no_context_takeover",
            "server_max_window_bits=9; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits=9",
            "parameters",
            "__class__",
            "_fields",
        ],
    )
    def test_what_is_unknown_repeated_or_has_the_wrong_value_declines(self, offered):
        assert accept(offered) is None

    def test_the_memory_of_the_clients_window_is_not_taken_from_it(self):
        """Who does not offer "client_max_window_bits" may look back 32 KiB."""
        far = bytes(range(256)) * 60 + b"x" * 4000
        unlimited = extension(configured=REMEMBER).encode(BINARY, far + far)
        _, server = PerMessageDeflate(client_no_context_takeover=False).accept([])
        assert server.decode(unlimited, True, None) == far + far


class TestConfirm:
    """RFC 7692 sections 5.1 and 7.1: what a client lets a server answer."""

    def test_what_is_offered(self):
        assert text_of(PerMessageDeflate().offer()) == (
            "server_no_context_takeover; client_no_context_takeover; "
            "server_max_window_bits=12; client_max_window_bits=12"
        )
        assert text_of(REMEMBER.offer()) == "client_max_window_bits=15"

    @pytest.mark.parametrize(
        ("answered", "wrong"),
        [
            ("x-unknown", "unknown or repeated parameter 'x-unknown'"),
            ("client_no_context_takeover; client_no_context_takeover", "repeated"),
            ("server_no_context_takeover=1", "server_no_context_takeover cannot be '1'"),
            ("server_max_window_bits", "server_max_window_bits cannot be 'empty'"),
            ("server_max_window_bits=16", "server_max_window_bits cannot be '16'"),
            ("client_max_window_bits", "without a value"),
            ("client_max_window_bits=7", "client_max_window_bits cannot be '7'"),
        ],
    )
    def test_what_no_server_may_answer(self, answered, wrong):
        with pytest.raises(HandshakeError, match=wrong):
            REMEMBER.confirm(parameters(answered))

    def test_what_was_demanded_has_to_be_granted(self):
        with pytest.raises(HandshakeError, match="server_no_context_takeover was not granted"):
            PerMessageDeflate().confirm(parameters("server_max_window_bits=12"))
        for answered in (
            "server_no_context_takeover",
            "server_no_context_takeover; server_max_window_bits=13",
        ):
            with pytest.raises(HandshakeError, match="server_max_window_bits=12 was not granted"):
                PerMessageDeflate().confirm(parameters(answered))

    @pytest.mark.parametrize(
        "answered",
        [
            "",
            "server_no_context_takeover; client_no_context_takeover",
            "server_max_window_bits=8; client_max_window_bits=8",
            "server_max_window_bits=15; client_max_window_bits=15",
        ],
    )
    def test_a_server_may_answer_what_was_not_demanded(self, answered):
        client = REMEMBER.confirm(parameters(answered))
        far = bytes(range(256))
        window = 8 if "=8" in answered else 15
        payloads = [client.encode(BINARY, far), client.encode(BINARY, far)]
        if "client_no" in answered:
            # They may be None, since nothing repeats inside of one.
            assert payloads == [None, None]
        else:
            assert inflate(*payloads, window=window) == [far, far]

    def test_a_client_keeps_to_its_own_smaller_window(self):
        client = PerMessageDeflate(
            server_no_context_takeover=False,
            client_no_context_takeover=False,
            server_max_window_bits=15,
            client_max_window_bits=9,
        )
        extension = client.confirm(parameters("client_max_window_bits=15"))
        assert extension.sharing_key is None
        far = bytes(range(256)) * 2
        assert inflate(extension.encode(BINARY, far + far), window=9) == [far + far]


class TestExamples:
    """RFC 7692 section 7.2.3, byte by byte."""

    @BOTH_ROLES
    @BOTH_WAYS
    @pytest.mark.parametrize("data", HELLO)
    def test_hello_is_read(self, role, configured, data):
        connection = Connection(role, extension=extension(role, configured))
        hello = peer_frame(role, TEXT, bytes.fromhex(data), rsv=RSV1)
        assert connection.receive(hello + hello) == [(TEXT, b"Hello")] * 2

    @BOTH_ROLES
    @pytest.mark.parametrize("data", HELLO)
    def test_hello_is_read_in_fragments_of_a_byte(self, role, data):
        octets = bytes.fromhex(data)
        connection = Connection(role, extension=extension(role))
        events = []
        for position, octet in enumerate(octets):
            opcode, rsv = (TEXT, RSV1) if not position else (0, 0)
            last = position == len(octets) - 1
            part = peer_frame(role, opcode, bytes((octet,)), fin=last, rsv=rsv)
            events += connection.receive(part)
            # Section 6: control frames go between the fragments, never compressed.
            events += connection.receive(peer_frame(role, PING, b""))
        assert [each for each in events if each[0] != PING] == [(TEXT, b"Hello")]

    def test_hello_as_two_frames_of_the_rfc(self):
        """Section 7.2.3.1: "41 03 f2 48 cd" and "80 04 c9 c9 07 00"."""
        connection = Connection(CLIENT, extension=extension(CLIENT))
        assert connection.receive(bytes.fromhex("4103f248cd")) == []
        assert connection.receive(bytes.fromhex("8004c9c90700")) == [(TEXT, b"Hello")]

    def test_hello_is_written_and_once_more_with_the_window(self):
        """Section 7.2.3.2."""
        connection = Connection(SERVER, extension=extension())
        assert connection.send_message(TEXT, b"Hello").hex() == "c107f248cdc9c90700"
        assert connection.send_message(TEXT, b"Hello").hex() == "c105f200110000"

    def test_the_second_hello_is_read(self):
        connection = Connection(CLIENT, extension=extension(CLIENT))
        received = connection.receive(bytes.fromhex("c107f248cdc9c90700c105f200110000"))
        assert received == [(TEXT, b"Hello")] * 2

    @BOTH_ROLES
    @pytest.mark.parametrize("data", ["00", "0200", "01", "0300", ""])
    def test_an_empty_message(self, role, data):
        """Section 7.2.3.6, in this and other ways; senders that forget even its byte exist."""
        connection = Connection(role, extension=extension(role))
        empty = peer_frame(role, TEXT, bytes.fromhex(data), rsv=RSV1)
        hello = peer_frame(role, TEXT, bytes.fromhex("f248cdc9c90700"), rsv=RSV1)
        found = connection.receive(empty + hello + empty)
        assert found == [(TEXT, b""), (TEXT, b"Hello"), (TEXT, b"")]


class TestSending:
    """RFC 7692 section 7.2.1."""

    def test_what_is_below_the_threshold_is_sent_as_it_is(self):
        server, _ = agree(PerMessageDeflate(threshold=100))
        assert server.encode(TEXT, b"a" * 99) is None
        assert inflate(server.encode(TEXT, b"a" * 100)) == [b"a" * 100]

    def test_an_empty_message_is_sent_as_it_is(self):
        assert extension().encode(TEXT, b"") is None

    def test_what_would_grow_is_sent_as_it_is(self):
        """As long as the window does not have to be the same on both ends."""
        data = bytes(range(256)) * 2
        forgetting = PerMessageDeflate(server_max_window_bits=8, threshold=0)
        assert agree(forgetting)[0].encode(BINARY, data) is None
        remembering = PerMessageDeflate(
            server_max_window_bits=8, server_no_context_takeover=False, threshold=0
        )
        assert inflate(agree(remembering)[0].encode(BINARY, data)) == [data]

    @pytest.mark.parametrize("window", range(8, 16))
    def test_no_more_than_the_window_is_used(self, window):
        data = b"".join(number.to_bytes(2, "big") for number in range(17_000)) + b"a" * 300
        configured = PerMessageDeflate(
            server_max_window_bits=window, server_no_context_takeover=False
        )
        server = agree(configured)[0]
        assert inflate(server.encode(BINARY, data * 2), window=window) == [data * 2]

    def test_the_check_of_the_window_finds_what_is_too_far(self):
        with pytest.raises(zlib.error, match="too far back"):
            inflate(deflate((bytes(range(256)) + bytes(100)) * 2), window=8)

    @BOTH_ENDS
    def test_control_frames_and_fragments_are_not_compressed(self, name):
        pair = pair_of(REMEMBER)
        sender = getattr(pair, name)
        connection = sender.connection
        pair.send(sender, connection.send_fragment(TEXT, b"a" * 500, True, False))
        pair.send(sender, connection.send_ping(b"p" * 100))
        pair.send(sender, connection.send_fragment(TEXT, b"b" * 500, False, True))
        pair.send(sender, connection.send_message(TEXT, b"c" * 500))
        pair.send(sender, connection.send_close(1000, "r" * 100))
        pair.run()
        assert pair.other(sender).messages == [
            (TEXT, b"a" * 500 + b"b" * 500),
            (TEXT, b"c" * 500),
        ]
        assert [each.rsv for each in sender.frames()] == [0, 0, 0, RSV1, 0]


class TestSharing:
    """Broadcasts: what is encoded once for many."""

    def test_equal_agreements_share(self):
        configured = PerMessageDeflate()
        one, other = (agree(configured)[0] for _ in range(2))
        assert one.sharing_key == other.sharing_key
        assert hash(one.sharing_key) == hash(other.sharing_key)
        data = ALL_WIDTHS.encode() * 100
        assert one.encode(TEXT, data) == other.encode(TEXT, data) == one.encode(TEXT, data)

    @pytest.mark.parametrize(
        "different",
        [
            {"server_max_window_bits": 11},
            {"level": 1},
            {"mem_level": 8},
            {"threshold": 0},
        ],
    )
    def test_others_do_not(self, different):
        first, second = (agree(PerMessageDeflate(**each))[0] for each in ({}, different))
        assert first.sharing_key != second.sharing_key

    def test_nothing_is_shared_with_context_takeover(self):
        forgetful = PerMessageDeflate(server_no_context_takeover=False)
        server, client = agree(forgetful)
        assert server.sharing_key is None
        assert client.sharing_key is not None


class TestBrokenData:
    """What is no deflate data is refused, and nothing else happens."""

    @BOTH_ROLES
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param("ff", id="reserved-block-type"),
            pytest.param("f248cdc9c907ff", id="behind-good-data"),
            pytest.param("000500ffff48656c6c6f00", id="stored-length"),
            pytest.param("f200110000", id="window-that-is-not-there"),
            pytest.param("789cf248cdc9c90700", id="zlib-header"),
            pytest.param("78bb08160215", id="preset-dictionary"),
            pytest.param("1f8b0800000000000003", id="gzip-header"),
            pytest.param("f348cdc9c90700ff", id="behind-a-last-block"),
            pytest.param("f248cd", id="cut-short"),
            pytest.param("f248cdc9c907", id="cut-short-by-one"),
            pytest.param("f248cdc9c907000000ffff", id="tail-left-on"),
            pytest.param("000500faff4865", id="stored-block-cut-short"),
            pytest.param("00ffff00004865", id="long-stored-block-cut-short"),
        ],
    )
    @BOTH_WAYS
    def test_1007(self, role, data, configured):
        octets = bytes.fromhex(data)
        whole = [peer_frame(role, BINARY, octets, rsv=RSV1)]
        bytewise = [whole[0][start : start + 1] for start in range(len(whole[0]))]
        for pieces in (whole, bytewise):
            connection = Connection(role, extension=extension(role, configured))
            why = violation(connection, *pieces)
            assert why.code == 1007
            assert "deflate data" in why.reason

    def test_what_comes_out_is_limited(self):
        """More of it in ``test_deflate_limits.py``."""
        payload = deflate(b"a" * 300)
        assert extension().decode(payload, True, 300) == b"a" * 300
        with pytest.raises(FrameTooLargeException, match="max_message_size"):
            extension().decode(payload, True, 299)

    def test_the_error_keeps_nothing_of_the_data(self):
        with pytest.raises(ProtocolException) as caught:
            extension().decode(b"\xff", True, None)
        assert caught.value.__suppress_context__

    @BOTH_ROLES
    @pytest.mark.parametrize("wrong", NOT_UTF8)
    def test_text_is_checked_when_inflated(self, role, wrong):
        connection = Connection(role, extension=extension(role))
        payload = deflate(ALL_WIDTHS.encode(), wrong)
        assert violation(connection, peer_frame(role, TEXT, payload, rsv=RSV1)).code == 1007

    @BOTH_ROLES
    def test_wrong_text_is_found_before_the_message_ends(self, role):
        connection = Connection(role, extension=extension(role))
        payload = deflate(b"\xff" * 100, b"more", last=zlib.Z_SYNC_FLUSH)
        begun = peer_frame(role, TEXT, payload, fin=False, rsv=RSV1)
        assert violation(connection, begun[:-1]).code == 1007

    @BOTH_ROLES
    @pytest.mark.parametrize(
        ("opcode", "rsv"), [(0, 4), (PING, 4), (TEXT, 2), (TEXT, 1), (BINARY, 6), (BINARY, 7)]
    )
    def test_its_bit_elsewhere_and_other_bits(self, role, opcode, rsv):
        """Section 6: RSV1 is of a message's first frame."""
        connection = Connection(role, extension=extension(role))
        connection.receive(peer_frame(role, TEXT, b"a", fin=bool(opcode)))
        assert violation(connection, peer_frame(role, opcode, b"\x00", rsv=rsv)).code == 1002

    @BOTH_ROLES
    def test_cve_2026_59881_its_bit_where_nobody_agreed_on_it(self, role):
        assert violation(Connection(role), peer_frame(role, TEXT, b"\x00", rsv=RSV1)).code == 1002
