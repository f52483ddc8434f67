import pytest

from tests.support.raw import close_frame
from tests.support.toy import Toy
from tests.support.wire import PING, PONG, TEXT, Frame, frame, keys, read_frames
from ws4py.messaging import BinaryMessage, CloseControlMessage, TextMessage
from ws4py.protocol.connection import Connection
from ws4py.protocol.limits import Limits
from ws4py.streaming import Stream


class TestRoles:
    """RFC 6455 section 5.1, under the names of 0.6."""

    def test_a_servers_is_the_default(self):
        stream = Stream()
        assert (stream.always_mask, stream.expect_masking) == (False, True)
        assert keys(stream.connection.send_message(TEXT, b"x")) == [None]
        assert stream.connection.receive(frame(TEXT, b"x")) == [(TEXT, b"x")]

    def test_a_clients(self):
        stream = Stream(always_mask=True, expect_masking=False)
        assert (stream.always_mask, stream.expect_masking) == (True, False)
        assert keys(stream.connection.send_message(TEXT, b"x")) != [None]
        assert stream.connection.receive(frame(TEXT, b"x", mask=False)) == [(TEXT, b"x")]

    def test_both_can_be_changed_later(self):
        stream = Stream()
        stream.always_mask, stream.expect_masking = True, False
        assert keys(stream.connection.send_message(TEXT, b"x")) != [None]
        assert stream.connection.receive(frame(TEXT, b"x", mask=False)) == [(TEXT, b"x")]

    @pytest.mark.parametrize("always_mask", [True, False])
    @pytest.mark.parametrize("expect_masking", [True, False])
    def test_any_combination(self, always_mask, expect_masking):
        stream = Stream(always_mask, expect_masking)
        assert (stream.always_mask, stream.expect_masking) == (always_mask, expect_masking)


class TestConnection:
    def test_it_has_limits_unless_told_otherwise(self):
        received = frame(TEXT, b"abc")
        assert Stream().connection.receive(received) == [(TEXT, b"abc")]
        limited = Stream(limits=Limits(max_message_size=2)).connection
        limited.receive(received)
        assert limited.violation.code == 1009

    def test_an_extension(self):
        connection = Stream(extension=Toy()).connection
        assert read_frames(connection.send_message(TEXT, b"x"))[0].rsv == 4

    def test_an_extension_that_comes_later(self):
        stream, toy = Stream(), Toy()
        assert stream.extension is None
        stream.extension = toy
        assert stream.extension is stream.connection.extension is toy

    def test_a_new_one_has_not_ended(self):
        stream = Stream()
        assert stream.ended is False
        assert isinstance(stream.connection, Connection)
        assert bool(stream)


class TestClosing:
    """RFC 6455 section 7.1.5."""

    def test_the_peers_close_frame(self):
        stream = Stream()
        assert stream.closing is None
        (event,) = stream.connection.receive(close_frame(3000, b"bye"))
        stream.connection.respond(event)
        assert isinstance(stream.closing, CloseControlMessage)
        assert (stream.closing.code, stream.closing.reason) == (3000, b"bye")

    def test_without_a_status(self):
        stream = Stream()
        (event,) = stream.connection.receive(frame(8))
        stream.connection.respond(event)
        assert (stream.closing.code, stream.closing.reason) == (1005, b"")


class TestMaking:
    """Nothing is sent: these make a message or a frame."""

    def test_messages(self):
        stream = Stream()
        text, binary = stream.text_message("żółw"), stream.binary_message(b"\xff")
        assert isinstance(text, TextMessage)
        assert isinstance(binary, BinaryMessage)
        assert (text.data, binary.data) == ("żółw".encode(), b"\xff")

    def test_close(self):
        stream = Stream()
        assert (stream.close().code, stream.close().reason) == (1000, b"")
        message = stream.close(1001, "bye")
        assert read_frames(message.single()) == [Frame(8, b"\x03\xe9bye")]
        with pytest.raises(ValueError, match="1006"):
            stream.close(1006)
        assert stream.connection.close_sent is None

    @pytest.mark.parametrize("always_mask", [True, False])
    def test_pings_and_pongs(self, always_mask):
        stream = Stream(always_mask)
        sent = stream.ping() + stream.ping("beep") + stream.pong() + stream.pong(b"beep")
        assert read_frames(sent) == [
            Frame(PING, b""),
            Frame(PING, b"beep"),
            Frame(PONG, b""),
            Frame(PONG, b"beep"),
        ]
        assert {key is not None for key in keys(sent)} == {always_mask}
        with pytest.raises(ValueError, match="125"):
            stream.ping(bytes(126))
