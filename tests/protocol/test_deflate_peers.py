"""permessage-deflate: ours with ours, and with another library."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions import permessage_deflate as theirs
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode

from tests.support.deflating import (
    REMEMBER,
    extension,
    pair_of,
)
from tests.support.wire import ALL_WIDTHS, BINARY, TEXT, read_frames
from ws4py.exc import ProtocolException
from ws4py.protocol.connection import SERVER, Connection
from ws4py.protocol.deflate import NAME, PerMessageDeflate
from ws4py.protocol.headers import Headers, parse_extensions

flags = st.booleans()
bits = st.integers(8, 15)
options = st.builds(
    PerMessageDeflate,
    server_no_context_takeover=flags,
    client_no_context_takeover=flags,
    server_max_window_bits=bits,
    client_max_window_bits=bits,
    level=st.integers(0, 9),
    mem_level=st.integers(1, 9),
    threshold=st.integers(0, 40),
)
texts = st.text(alphabet="ab é€😀", max_size=60)
messages = st.one_of(
    st.tuples(st.just(TEXT), texts.map(str.encode)),
    st.tuples(st.just(BINARY), st.binary(max_size=60)),
    st.tuples(st.just(BINARY), st.binary(min_size=1, max_size=5).map(lambda part: part * 300)),
)


_TERMS = (
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
)

#: For both ends: whether to forget, and the window.
AGREEMENTS = list(itertools.product([False, True], [False, True], [9, 12, 15], [9, 12, 15]))
BOTH_KINDS = [(TEXT, ALL_WIDTHS.encode() * 40), (BINARY, bytes(range(256)) * 20), (TEXT, b"")]


class TestOtherLibrary:
    """The ``websockets`` package as the peer, its negotiation and its transformation."""

    @staticmethod
    def exchange(ours, other):
        for opcode, data in BOTH_KINDS * 2:
            encoded = other.encode(TheirFrame(Opcode(opcode), data))
            assert encoded.rsv1
            assert ours.decode(bytes(encoded.data), True, len(data)) == data
            payload = ours.encode(opcode, data)
            compressed = payload is not None
            wire = TheirFrame(Opcode(opcode), payload if compressed else data, rsv1=compressed)
            assert other.decode(wire, max_size=len(data) + 1).data == data

    @pytest.mark.parametrize("agreement", AGREEMENTS)
    def test_its_client_with_our_server(self, agreement):
        forget_theirs, forget_ours, server_bits, client_bits = agreement
        client = theirs.ClientPerMessageDeflateFactory(
            server_no_context_takeover=forget_ours,
            client_no_context_takeover=forget_theirs,
            server_max_window_bits=server_bits,
            client_max_window_bits=client_bits,
        )
        for configured in (PerMessageDeflate(), REMEMBER):
            answered, ours = configured.accept(client.get_request_params())
            self.exchange(ours, client.process_response_params(answered, []))

    @pytest.mark.parametrize("agreement", AGREEMENTS)
    def test_its_server_with_our_client(self, agreement):
        forget_theirs, forget_ours, server_bits, client_bits = agreement
        server = theirs.ServerPerMessageDeflateFactory()
        client = PerMessageDeflate(
            server_no_context_takeover=forget_theirs,
            client_no_context_takeover=forget_ours,
            server_max_window_bits=server_bits,
            client_max_window_bits=client_bits,
        )
        answered, other = server.process_request_params(client.offer(), [])
        self.exchange(client.confirm(answered), other)

    def test_its_defaults(self):
        client = theirs.ClientPerMessageDeflateFactory(client_max_window_bits=True)
        answered, ours = PerMessageDeflate().accept(client.get_request_params())
        self.exchange(ours, client.process_response_params(answered, []))


class TestRoundTrips:
    """Whatever is agreed on, and however the bytes are cut."""

    @given(
        options,
        options,
        st.lists(st.tuples(st.sampled_from(["server", "client"]), messages), max_size=8),
        st.integers(0, 2**32),
    )
    def test_ours_with_ours(self, server, client, sent, seed):
        accepted = server.accept(client.offer())
        assert accepted is not None
        pair = pair_of(server, client, seed)
        for name, message in sent:
            sender = getattr(pair, name)
            pair.send(sender, sender.connection.send_message(*message))
        pair.run()
        for name in ("server", "client"):
            expected = [message for sender, message in sent if sender == name]
            assert pair.other(getattr(pair, name)).messages == expected

    @given(st.binary(max_size=200), st.booleans(), st.lists(st.integers(1, 50), max_size=10))
    def test_garbage_ends_in_a_documented_error(self, data, kept, sizes):
        server = extension(configured=REMEMBER if kept else PerMessageDeflate())
        limit, position, out = 1000, 0, b""
        try:
            for size in sizes:
                out += server.decode(data[position : position + size], False, limit - len(out))
                position += size
            out += server.decode(data[position:], True, limit - len(out))
            code = None
        except ProtocolException as error:
            code = error.code
        assert code in (None, 1007, 1009)
        assert len(out) <= limit

    @given(st.lists(st.tuples(st.text(max_size=30), st.none() | st.text(max_size=4)), max_size=6))
    def test_any_offer_is_declined_or_answered(self, offered):
        accepted = PerMessageDeflate().accept(offered)
        assert accepted is None or all(name in _TERMS for name, _ in accepted[0])


def test_headers_of_a_handshake_are_read_into_an_agreement():
    """The way a real offer takes: as text, in two fields."""
    fields = [
        ("Sec-WebSocket-Extensions", f"{NAME}; client_max_window_bits=99"),
        ("Sec-WebSocket-Extensions", f'{NAME}; client_max_window_bits="11"'),
    ]
    offers = parse_extensions(Headers(fields).joined("Sec-WebSocket-Extensions"))
    answers = [PerMessageDeflate().accept(found) for _, found in offers]
    assert answers[0] is None
    assert ("client_max_window_bits", "11") in answers[1][0]
    assert read_frames(Connection(SERVER, extension=answers[1][1]).send_message(TEXT, b"a" * 400))[
        0
    ].rsv
