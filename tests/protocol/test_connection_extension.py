"""A connection with an extension in its slot."""

import pytest

from tests.support.pair import BOTH_ENDS, BOTH_ROLES, ConnectionPair, answer, peer_frame
from tests.support.toy import Toy
from tests.support.wire import (
    ALL_WIDTHS,
    BINARY,
    TEXT,
)
from ws4py.exc import TextFrameEncodingException
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.limits import Limits


class TestExtension:
    """RFC 6455 section 9: the slot, filled with a toy that owns RSV1."""

    def pair(self, seed=0, limits=None):
        limits = limits or Limits()
        server, client = (Connection(role, limits, Toy()) for role in (SERVER, CLIENT))
        return ConnectionPair(seed, server, client)

    @BOTH_ENDS
    @pytest.mark.parametrize("seed", range(3))
    def test_messages_pass_through_it(self, name, seed):
        pair = self.pair(seed)
        sender = getattr(pair, name)
        messages = [
            (TEXT, ALL_WIDTHS.encode()),
            (BINARY, bytes(300)),
            (TEXT, b""),
            (TEXT, b"!as is"),
        ]
        for message in messages:
            pair.send(sender, sender.connection.send_message(*message))
        pair.run()
        assert pair.other(sender).messages == messages
        assert [each.rsv for each in sender.frames()] == [4, 4, 4, 0]
        assert sender.frames()[1].payload == b"\x55" * 300

    @BOTH_ENDS
    def test_control_frames_and_fragments_do_not(self, name):
        pair = self.pair()
        sender = getattr(pair, name)
        connection = sender.connection
        pair.send(sender, connection.send_fragment(TEXT, b"a", True, False))
        pair.send(sender, connection.send_ping(b"p"))
        assert connection.send_message(TEXT, b"c") == b""
        pair.send(sender, connection.send_fragment(TEXT, b"b", False, True))
        pair.send(sender, connection.send_close(1000))
        pair.run()
        assert pair.other(sender).messages == [(TEXT, b"ab"), (TEXT, b"c")]
        assert [each.rsv for each in sender.frames()] == [0, 0, 0, 4, 0]

    def test_what_comes_out_is_limited(self):
        pair = self.pair(limits=Limits(max_message_size=3))
        pair.send(pair.client, pair.client.connection.send_message(TEXT, b"abcd"))
        pair.run()
        assert pair.server.connection.close_sent.code == 1009

    @BOTH_ROLES
    def test_text_is_checked_before_and_behind_it(self, role):
        connection = Connection(role, extension=Toy())
        with pytest.raises(TextFrameEncodingException):
            connection.send_message(TEXT, b"\xff")
        # 0xFF behind the toy.
        assert answer(connection, peer_frame(role, TEXT, b"\xaa", rsv=4))[0].close_code == 1007

    @BOTH_ROLES
    def test_without_it_its_bit_is_refused(self, role):
        connection = Connection(role)
        assert answer(connection, peer_frame(role, TEXT, b"x", rsv=4))[0].close_code == 1002
