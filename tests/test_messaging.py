import copy
import gc
import json
import os
import pickle
import weakref

import pytest

from tests.support.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    keys,
    read_frames,
)
from ws4py import messaging
from ws4py.exc import TextFrameEncodingException
from ws4py.messaging import (
    BinaryMessage,
    CloseControlMessage,
    Message,
    PingControlMessage,
    PongControlMessage,
    PreparedMessage,
    TextMessage,
    prepare,
    received,
)

ALL = [
    TextMessage("żółw"),
    BinaryMessage(b"\xff\0"),
    CloseControlMessage(1001, "bye"),
    PingControlMessage("beep"),
    PongControlMessage(b"boop"),
]
EACH = pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)


class TestText:
    def test_its_attributes(self):
        message = TextMessage("żółw")
        assert message.data == "żółw".encode()
        assert message.opcode == TEXT
        assert message.encoding == "utf-8"
        assert message.is_text
        assert not message.is_binary

    def test_length_is_in_characters(self):
        assert len(TextMessage("żółw")) == 4
        assert len(TextMessage()) == 0

    def test_length_of_text_that_has_no_encoding_is_in_bytes(self):
        assert len(Message(TEXT, b"abc", encoding=None)) == 3

    def test_length_does_not_depend_on_how_programs_show_a_message(self, monkeypatch):
        monkeypatch.setattr(Message, "__str__", lambda _message: "patched")
        assert str(TextMessage("żółw")) == "patched"
        assert len(TextMessage("żółw")) == 4

    def test_how_programs_read_it(self):
        message = TextMessage('{"a": "ż"}')
        expected = {"a": "ż"}
        assert json.loads(str(message)) == expected
        assert json.loads(message.data) == expected
        assert json.loads(message.data.decode(message.encoding)) == expected
        assert json.loads(message.data.decode("utf8")) == expected

    def test_bytes_are_taken_as_they_are(self):
        assert TextMessage("ż".encode()).data == b"\xc5\xbc"

    def test_another_encoding(self):
        message = Message(TEXT, "ż", encoding="utf-16-le")
        assert message.data == "ż".encode("utf-16-le")
        assert (str(message), len(message)) == ("ż", 1)


class TestBinary:
    def test_its_attributes(self):
        message = BinaryMessage(b"\xff\0")
        assert message.data == b"\xff\0"
        assert message.opcode == BINARY
        assert message.encoding is None
        assert message.is_binary
        assert not message.is_text
        assert len(message) == 2

    def test_as_text_it_is_harmless(self):
        assert str(BinaryMessage(b"\xff\0")) == "<BinaryMessage of 2 bytes>"

    def test_text_needs_an_encoding(self):
        with pytest.raises(TypeError, match="without an encoding"):
            BinaryMessage("text")


class TestAnyMessage:
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_bytes_of_any_kind(self, kind):
        message = BinaryMessage(kind(b"data"))
        message.extend(kind(b" and more"))
        assert message.data == b"data and more"
        assert type(message.data) is bytes

    @pytest.mark.parametrize("data", [None, 1, ["a"], object()])
    def test_other_types(self, data):
        for make in (TextMessage, BinaryMessage, lambda each: Message(TEXT, each)):
            with pytest.raises(TypeError, match="not a supported message data type"):
                make(data)
        with pytest.raises(TypeError, match=type(data).__name__):
            TextMessage("x").extend(data)

    def test_nothing_is_empty(self):
        for message in (Message(TEXT), TextMessage(), BinaryMessage()):
            assert message.data == b""
            assert keys(message.single()) == keys(message.fragment()) == [None]

    def test_extending_text(self):
        message = TextMessage("ż")
        message.extend("ó")
        assert str(message) == "żó"

    def test_completed_is_a_flag(self):
        message = Message(TEXT)
        assert message.completed is False
        message.completed = True
        assert message.completed is True

    @EACH
    def test_a_deep_copy_is_equal_and_independent(self, message):
        before = dict(vars(message))
        duplicate = copy.deepcopy(message)
        assert type(duplicate) is type(message)
        assert vars(duplicate) == before
        duplicate.extend(b"more")
        assert vars(message) == before

    @EACH
    def test_it_can_be_printed(self, message):
        assert str(message)
        assert repr(message) == f"<{type(message).__name__} of {len(message.data)} bytes>"

    def test_broken_text_can_be_printed_for_debugging(self):
        assert repr(TextMessage(b"\xff")) == "<TextMessage of 1 bytes>"

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    @EACH
    def test_pickles_and_copies(self, message, protocol):
        message = copy.copy(message)
        message.mark = [1]
        for duplicate in (copy.copy(message), pickle.loads(pickle.dumps(message, protocol))):
            assert type(duplicate) is type(message)
            assert (duplicate.data, vars(duplicate)) == (message.data, vars(message))
            assert duplicate != message

    def test_attributes_come_and_go(self):
        message = received(TEXT, b"text")
        assert vars(message) == {}
        message.mark = message
        assert vars(message) == {"mark": message}
        del message.mark
        assert not hasattr(message, "mark")
        message.__dict__ = {"mark": 1}
        assert message.mark == 1

    def test_cycles_are_collected(self):
        message = received(TEXT, b"text")
        message.mark = message
        ended = weakref.ref(message)
        del message
        gc.collect()
        assert ended() is None

    def test_what_is_offered_is_there(self):
        assert all(hasattr(messaging, name) for name in messaging.__all__)


class Mixin:
    """Of a program that derives its own messages from several classes."""

    def shout(self):
        return self.data.upper()


class Loud(Mixin, TextMessage):
    """A mixin before."""


class Late(TextMessage, Mixin):
    """And behind."""


class Slotted(TextMessage):
    """Adds a slot."""

    __slots__ = ("number",)


class TestSubclasses:
    @pytest.mark.parametrize("kind", [Loud, Late])
    def test_with_a_mixin(self, kind):
        message = kind("text")
        message.mark = True
        assert (message.shout(), message.mark, str(message)) == (b"TEXT", True, "text")
        assert weakref.ref(message)() is message
        duplicate = pickle.loads(pickle.dumps(message))
        assert (type(duplicate), vars(duplicate)) == (kind, vars(message))
        assert repr(message) == f"<{kind.__name__} of 4 bytes>"

    def test_with_a_slot(self):
        message = Slotted("text")
        message.number = 1
        duplicate = copy.deepcopy(message)
        assert (duplicate.number, duplicate.data) == (1, b"text")
        assert "number" not in vars(message)

    def test_another_class_of_the_same_kind(self):
        message = received(TEXT, b"text")
        message.__class__ = Late
        assert message.shout() == b"TEXT"


class TestReceived:
    @pytest.mark.parametrize(("opcode", "kind"), [(TEXT, TextMessage), (BINARY, BinaryMessage)])
    def test_it_is_complete(self, opcode, kind):
        message, made = received(opcode, b"data"), kind(b"data")
        assert type(message) is kind
        assert message.completed
        for name in ("data", "opcode", "encoding", "is_text", "is_binary"):
            assert getattr(message, name) == getattr(made, name)


class TestControl:
    """RFC 6455 section 5.5."""

    @pytest.mark.parametrize(
        ("kind", "opcode"), [(PingControlMessage, PING), (PongControlMessage, PONG)]
    )
    def test_pings_and_pongs(self, kind, opcode):
        assert kind("beep").data == b"beep"
        assert kind(b"beep").opcode == opcode
        assert kind().data == kind(None).data == b""
        assert not kind().is_text
        assert str(kind("beep")) == "beep"

    def test_close(self):
        message = CloseControlMessage(1001, "tschüß")
        assert (message.opcode, message.code) == (CLOSE, 1001)
        assert message.reason == "tschüß".encode()
        assert str(message) == "tschüß"
        assert message.data == b"\x03\xe9" + "tschüß".encode()

    def test_close_with_a_reason_in_bytes(self):
        assert CloseControlMessage(1000, b"bye").reason == b"bye"

    def test_close_by_default(self):
        message = CloseControlMessage()
        assert (message.code, message.reason, str(message)) == (1000, b"", "")

    def test_close_without_status(self):
        message = CloseControlMessage(1005)
        assert (message.code, message.reason, message.data) == (1005, b"", b"")

    @pytest.mark.parametrize("code", [0, 999, 1006, 1015, 5000])
    def test_close_codes_that_may_not_be_sent(self, code):
        with pytest.raises(ValueError, match=str(code)):
            CloseControlMessage(code)

    def test_a_long_reason_is_cut(self):
        assert len(CloseControlMessage(1000, "é" * 100).data) <= 125

    def test_125_bytes_are_the_limit(self):
        for message in (PingControlMessage(bytes(125)), CloseControlMessage(1000, "x" * 123)):
            assert len(message.single()) == 127
            message.extend(b"x")
            with pytest.raises(ValueError, match="125 bytes"):
                message.single()


class TestFrames:
    """RFC 6455 section 5."""

    @EACH
    @pytest.mark.parametrize("mask", [True, False])
    def test_single(self, message, mask):
        frames = message.single(mask=mask)
        assert read_frames(frames) == [Frame(message.opcode, message.data)]
        assert (keys(frames) != [None]) is mask

    @pytest.mark.parametrize(
        ("position", "opcode", "fin"),
        [
            ({"first": True}, TEXT, False),
            ({}, CONTINUATION, False),
            ({"last": True}, CONTINUATION, True),
            ({"first": True, "last": True}, TEXT, True),
        ],
    )
    def test_fragments(self, position, opcode, fin):
        message = TextMessage("part")
        for mask in (True, False):
            frames = message.fragment(mask=mask, **position)
            assert read_frames(frames) == [Frame(opcode, b"part", fin)]
            assert (keys(frames) != [None]) is mask

    def test_each_key_is_drawn_from_the_systems_generator(self, monkeypatch):
        """Section 5.3; a message that is sent twice is masked anew."""
        drawn = []

        def urandom(size, real=os.urandom):
            drawn.append(real(size))
            return drawn[-1]

        monkeypatch.setattr(os, "urandom", urandom)
        message = TextMessage("again")
        assert keys(b"".join(message.single(mask=True) for _ in range(20))) == drawn
        assert len(drawn) == 20


class TestPrepared:
    @pytest.mark.parametrize(
        ("arguments", "opcode", "data"),
        [
            (("żółw",), TEXT, "żółw".encode()),
            ((b"text",), TEXT, b"text"),
            ((b"\xff", True), BINARY, b"\xff"),
            (("ż", True), BINARY, "ż".encode()),
            ((bytearray(b"ab"), True), BINARY, b"ab"),
            ((memoryview(b"cd"),), TEXT, b"cd"),
            ((TextMessage("t"),), TEXT, b"t"),
            # A message knows itself what it is.
            ((BinaryMessage(b"\xff"), False), BINARY, b"\xff"),
        ],
    )
    def test_what_can_be(self, arguments, opcode, data):
        message = prepare(*arguments)
        assert type(message) is PreparedMessage
        assert (message.opcode, message.data) == (opcode, data)
        assert read_frames(message.frame(None)) == [Frame(opcode, data)]

    @pytest.mark.parametrize("text", ["\ud800", b"\xff", Message(TEXT, b"\xff")])
    def test_text_that_is_none(self, text):
        with pytest.raises(TextFrameEncodingException):
            prepare(text)

    @pytest.mark.parametrize(
        "message", [None, 1, ["text"], (each for each in "text"), PingControlMessage("beep")]
    )
    def test_what_cannot_be(self, message):
        with pytest.raises(TypeError):
            prepare(message)
