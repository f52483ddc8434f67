"""Messages in fragments (RFC 6455 section 5.4), sent and received."""

import pytest

from tests.support.pair import BOTH_ENDS, ConnectionPair, answer
from tests.support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    read_frames,
)
from ws4py.exc import ConnectionClosed, TextFrameEncodingException
from ws4py.protocol.connection import SERVER, Connection


class TestFragments:
    """RFC 6455 section 5.4."""

    @BOTH_ENDS
    def test_are_one_message(self, name):
        pair = ConnectionPair()
        sender = getattr(pair, name)
        send = sender.connection.send_fragment
        assert not sender.connection.fragmenting
        pair.send(sender, send(TEXT, "zażó".encode()[:3], True, False))
        assert sender.connection.fragmenting
        pair.send(sender, send(TEXT, "zażó".encode()[3:5], False, False))
        pair.send(sender, send(TEXT, "zażó".encode()[5:], False, True))
        assert not sender.connection.fragmenting
        pair.run()
        assert pair.other(sender).messages == [(TEXT, "zażó".encode())]
        assert [(each.opcode, each.fin) for each in sender.frames()] == [
            (TEXT, False),
            (CONTINUATION, False),
            (CONTINUATION, True),
        ]

    def test_a_single_one_is_a_whole_message(self):
        sent = Connection(SERVER).send_fragment(BINARY, b"\xff", True, True)
        assert read_frames(sent) == [Frame(BINARY, b"\xff")]

    @BOTH_ENDS
    def test_other_messages_wait_for_the_last_one(self, name):
        """ "fragments of one message MUST NOT be interleaved between the fragments of
        another message"."""
        pair = ConnectionPair()
        sender = getattr(pair, name)
        connection = sender.connection
        pair.send(sender, connection.send_fragment(TEXT, b"1", True, False))
        assert connection.send_message(TEXT, b"second") == b""
        assert connection.send_message(BINARY, b"third") == b""
        pair.send(sender, connection.send_fragment(TEXT, b"2", False, False))
        pair.send(sender, connection.send_fragment(TEXT, b"3", False, True))
        pair.send(sender, connection.send_message(TEXT, b"fourth"))
        pair.run()
        expected = [(TEXT, b"123"), (TEXT, b"second"), (BINARY, b"third"), (TEXT, b"fourth")]
        assert pair.other(sender).messages == expected

    def test_what_has_waited_leaves_once(self):
        connection = Connection(SERVER)
        for payload in (b"a", b"b"):
            connection.send_fragment(TEXT, payload, True, False)
            connection.send_message(TEXT, b"waited")
            sent = read_frames(connection.send_fragment(TEXT, payload, False, True))
            assert sent == [Frame(CONTINUATION, payload), Frame(TEXT, b"waited")]

    def test_control_frames_do_not_wait(self):
        connection = Connection(SERVER)
        connection.send_fragment(TEXT, b"1", True, False)
        assert read_frames(connection.send_ping(b"p")) == [Frame(PING, b"p")]
        assert read_frames(connection.send_pong(b"p")) == [Frame(PONG, b"p")]
        assert answer(connection, frame(PING, b"q")) == [Frame(PONG, b"q")]
        assert read_frames(connection.send_close(1000))[0].opcode == CLOSE

    def test_a_close_frame_drops_what_waits(self):
        connection = Connection(SERVER)
        connection.send_fragment(TEXT, b"1", True, False)
        connection.send_message(TEXT, b"never sent")
        assert len(read_frames(connection.send_close(1000))) == 1
        with pytest.raises(ConnectionClosed):
            connection.send_fragment(TEXT, b"2", False, True)

    @pytest.mark.parametrize(
        "chunks", [[b"\xff"], [b"ok", b"\xff"], [b"ok\xc3", b"x"], [b"ok", b"\xc3"]]
    )
    def test_have_to_be_utf8_together(self, chunks):
        connection = Connection(SERVER)
        *before, last = chunks
        for index, chunk in enumerate(before):
            assert connection.send_fragment(TEXT, chunk, not index, False)
        with pytest.raises(TextFrameEncodingException):
            connection.send_fragment(TEXT, last, not before, True)

    def test_a_wrong_first_one_was_never_begun(self):
        connection = Connection(SERVER)
        with pytest.raises(TextFrameEncodingException):
            connection.send_fragment(TEXT, b"\xff", True, False)
        assert not connection.fragmenting
        assert connection.send_message(TEXT, b"whole")
