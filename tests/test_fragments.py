"""The order of fragments, and what a part may be."""

import pytest

from ws4py._fragments import encode, send_fragments
from ws4py._wire.codes import TEXT
from ws4py.exc import TextFrameEncodingException


class Sender:
    """Writes down what it is to send.

    :param busy: whether another message is being sent in fragments.
    """

    def __init__(self, busy=False) -> None:
        self.busy = busy
        self.calls = []

    def _send_data(self, opcode, data):
        self.calls.append((opcode, data))

    def _send_fragment(self, opcode, data, first, last):
        if first and self.busy:
            return False
        self.calls.append((opcode, data, first, last))
        return True

    def _fail(self, code, reason):
        self.calls.append(("fail", code))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], [(TEXT, b"", True, True)]),
        (["1"], [(TEXT, b"1", True, True)]),
        (["1", b"2"], [(TEXT, b"1", True, False), (TEXT, b"2", False, True)]),
        (
            ["1", "", "3"],
            [(TEXT, b"1", True, False), (TEXT, b"", False, False), (TEXT, b"3", False, True)],
        ),
    ],
)
def test_order(parts, expected):
    sender = Sender()
    send_fragments(sender, TEXT, iter(parts))
    assert sender.calls == expected


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_behind_another_it_becomes_a_whole_message(count):
    sender = Sender(busy=True)
    send_fragments(sender, TEXT, iter(["x"] * count))
    assert sender.calls == [(TEXT, b"x" * count)]


@pytest.mark.parametrize("good", [0, 1, 2, 3])
def test_a_maker_that_fails(good):
    """A message of which nothing has left yet is dropped, one that was begun is the end."""

    def parts():
        yield from ["x"] * good
        raise KeyError("mine")

    sender = Sender()
    with pytest.raises(KeyError):
        send_fragments(sender, TEXT, parts())
    assert (("fail", 1011) in sender.calls) is (good > 1)
    assert len(sender.calls) == (0 if good < 2 else good)


def test_encode():
    assert encode("ü") == b"\xc3\xbc"
    for kind in (bytes, bytearray, memoryview):
        encoded = encode(kind(b"\xff"))
        assert type(encoded) is bytes
        assert encoded == b"\xff"
    with pytest.raises(TextFrameEncodingException):
        encode("\ud800")
    for wrong in (5, None, [1, 2]):
        with pytest.raises(ValueError, match="Unsupported type"):
            encode(wrong)
