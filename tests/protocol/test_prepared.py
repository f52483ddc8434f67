import pytest

from tests.support.toy import Toy
from tests.support.wire import BINARY, TEXT, Frame, frame, read_frames
from ws4py.exc import TextFrameEncodingException
from ws4py.protocol.prepared import PreparedMessage


class Alone(Toy):
    """An extension whose frames are of no use to another connection."""

    sharing_key = None


class Counting(Toy):
    """Counts what it compresses."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, opcode, payload):
        self.encoded += 1
        return super().encode(opcode, payload)


@pytest.mark.parametrize(("opcode", "data"), [(TEXT, "ż".encode()), (BINARY, b"\xff" * 70_000)])
def test_framed_once(opcode, data):
    message = PreparedMessage(opcode, data)
    assert (message.opcode, message.data) == (opcode, data)
    assert message.frame(None) == frame(opcode, data, mask=False)
    assert message.frame(None) is message.frame(None)


def test_text_is_checked_when_it_is_made():
    with pytest.raises(TextFrameEncodingException):
        PreparedMessage(TEXT, b"\xff")


def test_compressed_once_for_all_that_compress_alike():
    message, first, second = PreparedMessage(TEXT, b"text"), Counting(), Counting()
    made = message.frame(first)
    assert message.frame(second) is made
    assert (first.encoded, second.encoded) == (1, 0)
    assert read_frames(made) == [Frame(TEXT, bytes(octet ^ 0x55 for octet in b"text"), rsv=4)]
    assert message.frame(None) == frame(TEXT, b"text", mask=False)


def test_what_an_extension_leaves_as_it_is():
    message = PreparedMessage(TEXT, b"!text")
    assert message.frame(Toy()) == frame(TEXT, b"!text", mask=False)


def test_nothing_is_shared_by_those_that_cannot():
    assert PreparedMessage(TEXT, b"text").frame(Alone()) is None
