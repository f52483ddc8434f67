import os

import pytest

from tests.support.pair import BOTH_ENDS, BOTH_ROLES, ConnectionPair, answer, peer_frame
from tests.support.raw import close_frame
from tests.support.toy import Toy
from tests.support.wire import (
    ALL_WIDTHS,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    bare_header,
    frame,
    keys,
    read_frames,
)
from ws4py._wire.closing import Close
from ws4py._wire.codec import FAILED
from ws4py.exc import ConnectionClosed, FrameTooLargeException, TextFrameEncodingException
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.limits import Limits
from ws4py.protocol.prepared import PreparedMessage
from ws4py.protocol.state import CLOSE_SENT, CLOSED, OPEN


class TestMasking:
    """RFC 6455 section 5.1; more of it in ``test_connection_masking.py``."""

    def test_clients_mask_and_servers_do_not(self):
        assert keys(Connection(SERVER).send_message(TEXT, b"x")) == [None]
        assert keys(Connection(CLIENT).send_message(TEXT, b"x")) != [None]

    def test_a_test_tool_may_bend_the_rules(self):
        connection = Connection(SERVER)
        connection.expect_mask = False
        connection.mask_outgoing = True
        assert connection.expect_mask is False
        assert connection.receive(frame(TEXT, b"x", mask=False)) == [(TEXT, b"x")]
        assert None not in keys(connection.send_message(TEXT, b"x"))


class TestMessages:
    """RFC 6455 section 6."""

    @BOTH_ENDS
    @pytest.mark.parametrize("seed", range(3))
    def test_arrive_in_order(self, name, seed):
        pair = ConnectionPair(seed)
        sender = getattr(pair, name)
        messages = [
            (TEXT, ALL_WIDTHS.encode()),
            (BINARY, b"\xff"),
            (TEXT, b""),
            (BINARY, bytes(70_000)),
        ]
        for message in messages:
            pair.send(sender, sender.connection.send_message(*message))
        pair.run()
        assert pair.other(sender).messages == messages

    @BOTH_ROLES
    def test_one_is_one_frame(self, role):
        sent = Connection(role).send_message(TEXT, b"text")
        assert read_frames(sent) == [Frame(TEXT, b"text")]

    def test_text_has_to_be_utf8(self):
        connection = Connection(SERVER)
        with pytest.raises(TextFrameEncodingException):
            connection.send_message(TEXT, b"\xff")
        assert read_frames(connection.send_message(BINARY, b"\xff")) == [Frame(BINARY, b"\xff")]

    def test_nothing_answers_a_message(self):
        assert answer(Connection(SERVER), frame(TEXT, b"x") + frame(BINARY, b"y")) == []

    def test_what_is_not_complete_is_counted(self):
        connection = Connection(SERVER)
        connection.receive(frame(BINARY, bytes(100), fin=False))
        assert connection.buffered == 100


class TestFragments:
    """RFC 6455 section 5.4; more of it in ``test_connection_fragments.py``."""

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_are_one_message(self, opcode):
        connection = Connection(SERVER)
        assert not connection.fragmenting
        data = connection.send_fragment(opcode, b"a", True, False)
        assert connection.fragmenting
        data += connection.send_fragment(opcode, b"b", False, True)
        assert [each.payload for each in read_frames(data)] == [b"a", b"b"]

    def test_text_has_to_be_utf8(self):
        connection = Connection(SERVER)
        with pytest.raises(TextFrameEncodingException):
            connection.send_fragment(TEXT, b"\xff", True, False)


class TestPings:
    """RFC 6455 sections 5.5.2 and 5.5.3."""

    @BOTH_ROLES
    @pytest.mark.parametrize("size", [0, 125])
    def test_are_answered_with_their_payload(self, role, size):
        payload = os.urandom(size)
        assert answer(Connection(role), peer_frame(role, PING, payload)) == [Frame(PONG, payload)]

    def test_each_is_answered(self):
        """An endpoint may answer the latest only; here it is the shell that would skip."""
        pings = [Frame(PING, b"%d" % number) for number in range(5)]
        data = b"".join(frame(PING, each.payload) for each in pings)
        expected = [each._replace(opcode=PONG) for each in pings]
        assert answer(Connection(SERVER), data) == expected

    def test_pongs_are_not_answered(self):
        connection = Connection(SERVER)
        assert connection.receive(frame(PONG, b"unsolicited")) == [(PONG, b"unsolicited")]
        assert answer(connection, frame(PONG)) == []

    def test_nothing_follows_our_close_frame(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        assert answer(connection, frame(PING, b"late")) == []

    @pytest.mark.parametrize("send", ["send_ping", "send_pong"])
    def test_hold_125_bytes(self, send):
        connection = Connection(SERVER)
        assert len(getattr(connection, send)(bytes(125))) == 127
        with pytest.raises(ValueError, match="125"):
            getattr(connection, send)(bytes(126))


class TestClosing:
    """RFC 6455 sections 5.5.1, 7.1.2 to 7.1.6."""

    @BOTH_ENDS
    @pytest.mark.parametrize("seed", range(3))
    def test_one_end_begins(self, name, seed):
        pair = ConnectionPair(seed)
        first = getattr(pair, name)
        second = pair.other(first)
        pair.send(first, first.connection.send_close(3000, "done"))
        assert first.connection.state is CLOSE_SENT
        pair.run()
        assert first.connection.state is second.connection.state is CLOSED
        assert first.connection.reading_done
        assert first.connection.close_sent == second.connection.close_received == (3000, "done")
        assert second.connection.close_sent == first.connection.close_received == (3000, "")
        assert first.connection.close_code == second.connection.close_code == 3000
        assert len(first.frames()) == len(second.frames()) == 1

    def test_both_ends_begin(self):
        pair = ConnectionPair()
        for end, code in ((pair.server, 3001), (pair.client, 3002)):
            pair.send(end, end.connection.send_close(code))
        pair.run()
        assert pair.server.connection.state is pair.client.connection.state is CLOSED
        assert pair.server.connection.close_code == 3002
        assert pair.client.connection.close_code == 3001
        assert len(pair.server.frames()) == len(pair.client.frames()) == 1

    @BOTH_ROLES
    def test_no_status_is_answered_with_none(self, role):
        connection = Connection(role)
        assert answer(connection, peer_frame(role, CLOSE)) == [Frame(CLOSE, b"")]
        assert connection.close_code == 1005
        assert connection.close_received == Close(1005, "")
        assert connection.close_sent == Close(1005, "")

    @pytest.mark.parametrize("code", [1000, 1001, 1003, 1010, 1012, 1013, 1014, 3000, 4999])
    def test_codes_are_echoed(self, code):
        """Section 5.5.1; 1012 to 1014 were registered later."""
        connection = Connection(SERVER)
        (reply,) = answer(connection, close_frame(code, b"reason"))
        assert reply == Frame(CLOSE, code.to_bytes(2, "big"))
        assert connection.close_received == Close(code, "reason")
        assert connection.close_code == code

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
    def test_codes_that_may_not_travel(self, code):
        connection = Connection(SERVER)
        assert connection.receive(close_frame(code)) == [(FAILED, b"")]
        assert read_frames(connection.respond((FAILED, b"")))[0].close_code == 1002
        assert connection.close_received is None
        assert connection.close_code == 1006
        assert connection.state is CLOSED

    @pytest.mark.parametrize(("payload", "code"), [(b"\x03", 1002), (b"\x03\xe8\xff", 1007)])
    def test_payloads_that_break_the_rules(self, payload, code):
        connection = Connection(SERVER)
        assert answer(connection, frame(CLOSE, payload))[0].close_code == code
        assert connection.violation.code == code
        assert connection.violation.__traceback__ is None
        assert connection.reading_done

    def test_a_message_before_them_is_delivered(self):
        connection = Connection(SERVER)
        events = connection.receive(frame(TEXT, b"good") + frame(CLOSE, b"\x03"))
        assert events == [(TEXT, b"good"), (FAILED, b"")]

    def test_a_message_before_the_close_frame_can_still_be_answered(self):
        """The state changes when the event is answered, not when it is received."""
        connection = Connection(SERVER)
        message, close = connection.receive(frame(TEXT, b"question") + close_frame())
        assert message == (TEXT, b"question")
        assert connection.state is OPEN
        assert connection.reading_done
        sent = connection.send_message(TEXT, b"reply") + connection.respond(close)
        assert [each.opcode for each in read_frames(sent)] == [TEXT, CLOSE]

    def test_messages_still_come_behind_our_close_frame(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        assert connection.receive(frame(TEXT, b"late")) == [(TEXT, b"late")]
        assert not connection.reading_done
        assert answer(connection, close_frame()) == []
        assert connection.state is CLOSED

    def test_the_second_time_nothing_is_sent(self):
        connection = Connection(SERVER)
        assert connection.send_close(1000, "first")
        assert connection.send_close(1001, "second") == b""
        assert connection.close_sent == Close(1000, "first")

    def test_a_code_that_may_not_be_sent(self):
        connection = Connection(SERVER)
        for code in (1006, 1015, 999):
            with pytest.raises(ValueError, match=str(code)):
                connection.send_close(code)
            with pytest.raises(ValueError, match=str(code)):
                connection.fail(code)
        assert connection.state is OPEN
        assert not connection.reading_done

    def test_what_is_noted_is_what_was_sent(self):
        connection = Connection(SERVER)
        (sent,) = read_frames(connection.send_close(1000, "€" * 100))
        assert connection.close_sent == Close(1000, "€" * 41)
        assert sent.payload == b"\x03\xe8" + ("€" * 41).encode()

    @pytest.mark.parametrize("end", ["close", "fail", "lose", "received"])
    def test_nothing_can_be_sent_any_more(self, end):
        connection = Connection(SERVER)
        if end == "close":
            connection.send_close(1000)
        elif end == "received":
            answer(connection, close_frame())
        else:
            getattr(connection, end)()
        for send in (
            lambda: connection.send_message(TEXT, b"x"),
            lambda: connection.send_fragment(TEXT, b"x", True, True),
            lambda: connection.send_ping(b""),
            lambda: connection.send_pong(b""),
        ):
            with pytest.raises(ConnectionClosed, match="terminated websocket"):
                send()
        assert connection.send_close(1000) == b""


class TestFailing:
    """RFC 6455 section 7.1.7."""

    @BOTH_ROLES
    def test_a_violation_is_answered_with_its_code_and_reason(self, role):
        connection = Connection(role)
        data = peer_frame(role, TEXT, b"good") + peer_frame(role, 7, b"bad") + b"never read"
        assert connection.violation is None
        events = connection.receive(data)
        assert events == [(TEXT, b"good"), (FAILED, b"")]
        (reply,) = read_frames(b"".join(map(connection.respond, events)))
        assert reply.close_code == connection.violation.code == 1002
        assert reply.payload[2:].decode() == connection.violation.reason
        assert connection.state is CLOSED
        assert connection.reading_done
        assert connection.close_code == 1006
        assert connection.receive(data) == []

    def test_a_violation_behind_our_close_frame(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        assert answer(connection, frame(7)) == []
        assert connection.state is CLOSED
        assert connection.close_sent == Close(1000, "")

    def test_for_a_reason_of_our_own(self):
        connection = Connection(SERVER)
        (sent,) = read_frames(connection.fail(1011, "the handler raised"))
        assert sent == Frame(CLOSE, b"\x03\xf3the handler raised")
        assert connection.close_sent == Close(1011, "the handler raised")
        assert connection.state is CLOSED
        assert connection.reading_done
        assert connection.receive(frame(TEXT, b"x")) == []

    def test_for_a_reason_of_our_own_behind_our_close_frame(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        assert connection.fail() == b""
        assert connection.state is CLOSED
        assert connection.reading_done

    def test_twice(self):
        connection = Connection(SERVER)
        assert connection.fail()
        assert connection.fail() == b""

    @pytest.mark.parametrize("data", [close_frame(3000), frame(7)], ids=["close", "reserved"])
    def test_while_an_event_is_still_to_be_answered(self, data):
        """A handler raises; behind its message came a close frame or worse."""
        connection = Connection(SERVER)
        _, event = connection.receive(frame(TEXT, b"x") + data)
        connection.fail()
        assert connection.respond(event) == b""
        assert connection.state is CLOSED

    def test_a_close_frame_is_noted_even_then(self):
        """Section 7.1.5: the connection close code is that of the first one received."""
        connection = Connection(SERVER)
        (event,) = connection.receive(close_frame(3000, b"bye"))
        connection.fail()
        connection.respond(event)
        assert connection.close_received == Close(3000, "bye")


class TestLosing:
    """RFC 6455 section 7.1.5: 1006 without a close frame."""

    def test_an_open_connection(self):
        connection = Connection(SERVER)
        assert not connection.reading_done
        connection.lose()
        assert connection.state is CLOSED
        assert connection.close_code == 1006
        assert connection.reading_done
        assert connection.receive(frame(TEXT, b"x")) == []

    def test_after_the_closing_handshake(self):
        connection = Connection(SERVER)
        answer(connection, close_frame(3000))
        connection.lose()
        connection.lose()
        assert connection.close_code == 3000

    def test_between_the_close_frames(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        connection.lose()
        assert connection.state is CLOSED
        assert connection.close_code == 1006


class TestLimits:
    """RFC 6455 section 10.4."""

    @BOTH_ROLES
    @pytest.mark.parametrize(
        ("limits", "code"),
        [
            (Limits(max_message_size=9), 1009),
            (Limits(max_frame_size=9), 1009),
            (Limits(max_fragments=1), 1008),
        ],
    )
    def test_each_closes_the_connection(self, role, limits, code):
        connection = Connection(role, limits)
        data = peer_frame(role, BINARY, b"x", fin=False) + peer_frame(role, CONTINUATION, bytes(10))
        assert answer(connection, data)[0].close_code == code

    def test_by_default_16_mib_are_the_limit(self):
        connection = Connection(SERVER)
        assert connection.receive(bare_header(BINARY, 16 * 2**20)) == []
        connection = Connection(SERVER)
        assert answer(connection, bare_header(BINARY, 16 * 2**20 + 1))[0].close_code == 1009
        assert isinstance(connection.violation, FrameTooLargeException)


@BOTH_ROLES
def test_bytes_may_be_cut_anywhere(role):
    """More of it in ``test_connection_fuzzed.py``."""
    connection = Connection(role)
    data = peer_frame(role, TEXT, b"x") + peer_frame(role, PONG) + peer_frame(role, CLOSE)
    pieces = [data[i : i + 1] for i in range(len(data))]
    events = [event for piece in pieces for event in connection.receive(piece)]
    assert events == [(TEXT, b"x"), (PONG, b""), (CLOSE, b"")]


def test_an_extension_in_its_slot():
    """RFC 6455 section 9; more of it in ``test_connection_extension.py``."""
    connection = Connection(SERVER, extension=Toy())
    sent = connection.send_message(TEXT, b"text") + connection.send_message(TEXT, b"!text")
    assert [each.rsv for each in read_frames(sent)] == [4, 0]
    assert connection.receive(frame(TEXT, b"\x14", rsv=4)) == [(TEXT, b"A")]


def test_an_extension_that_comes_later():
    connection, toy = Connection(SERVER), Toy()
    assert connection.extension is None
    connection.extension = toy
    assert connection.extension is toy
    assert not connection.plain
    assert read_frames(connection.send_message(TEXT, b"text"))[0].rsv == 4
    assert connection.receive(frame(TEXT, b"\x14", rsv=4)) == [(TEXT, b"A")]


class TestShortWay:
    """What a loop asks before it sends, or receives, without the connection."""

    def test_plain_means_one_unmasked_frame_and_nothing_before_it(self):
        connection = Connection(SERVER)
        assert connection.plain
        connection.send_fragment(TEXT, b"a", True, False)
        assert not connection.plain
        connection.send_fragment(TEXT, b"b", False, True)
        assert connection.plain
        connection.send_close(1000)
        assert not connection.plain
        assert not Connection(CLIENT).plain
        assert not Connection(SERVER, extension=Toy()).plain

    def test_at_rest_between_messages_only(self):
        connection = Connection(SERVER)
        assert connection.at_rest
        connection.receive(frame(TEXT, b"a", fin=False))
        assert not connection.at_rest
        connection.receive(frame(CONTINUATION, b"b") + frame(BINARY, b"c")[:3])
        assert not connection.at_rest
        connection.receive(frame(PING)[:0])
        assert not connection.at_rest

    @pytest.mark.parametrize(
        ("message", "one_frame", "largest"), [(10, None, 10), (10, 7, 7), (7, 10, 7)]
    )
    def test_largest_message(self, message, one_frame, largest):
        limits = Limits(max_message_size=message, max_frame_size=one_frame)
        assert Connection(SERVER, limits).largest_message == largest

    def test_largest_message_without_limits(self):
        limits = Limits(max_message_size=None, max_frame_size=None)
        assert Connection(SERVER, limits).largest_message > 1 << 60


class TestPrepared:
    def test_is_one_object_for_all_servers(self):
        message = PreparedMessage(TEXT, b"to all")
        first, second = (Connection(SERVER).send_prepared(message) for _ in range(2))
        assert first is second
        assert read_frames(first) == [Frame(TEXT, b"to all")]

    def test_is_masked_afresh_by_each_client(self):
        message = PreparedMessage(BINARY, b"to all")
        frames = [Connection(CLIENT).send_prepared(message) for _ in range(2)]
        assert frames[0] != frames[1]
        assert [read_frames(each) for each in frames] == [[Frame(BINARY, b"to all")]] * 2

    def test_waits_for_the_last_fragment(self):
        connection = Connection(SERVER)
        connection.send_fragment(TEXT, b"a", True, False)
        assert connection.send_prepared(PreparedMessage(TEXT, b"late")) == b""
        rest = connection.send_fragment(TEXT, b"b", False, True)
        assert [each.payload for each in read_frames(rest)] == [b"b", b"late"]

    def test_is_refused_once_closing(self):
        connection = Connection(SERVER)
        connection.send_close(1000)
        with pytest.raises(ConnectionClosed):
            connection.send_prepared(PreparedMessage(TEXT, b"late"))


class TestWhatItHolds:
    def test_limits_that_are_set_later(self):
        connection = Connection(SERVER)
        connection.limits = Limits(10, 5, 2)
        assert connection.limits == Limits(10, 5, 2)
        assert connection.receive(frame(BINARY, b"123456")) == [(FAILED, b"")]

    def test_held_back_for_the_end_of_a_message(self):
        connection = Connection(SERVER)
        connection.send_fragment(TEXT, b"begun", True, False)
        assert connection.send_message(TEXT, b"12345") == b""
        assert connection.held_back == 7

    def test_a_few_at_a_time_and_what_was_begun_is_forgotten(self):
        connection = Connection(SERVER)
        connection.receive_few(1)
        second = frame(BINARY, b"begun", fin=False)
        assert connection.receive(frame(TEXT, b"1") + second) == [(TEXT, b"1")]
        assert connection.take_unread() == second
        connection.receive(second)
        connection.stop_receiving()
        assert (connection.buffered, connection.reading_done) == (0, True)
