"""Frames that break RFC 6455, and frames in any pieces, through a real server."""

import struct

import pytest

from tests.support.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_frame,
    frame,
)
from tests.support.waiting import wait_until
from ws4py.websocket import WebSocket

_LIMIT = WebSocket.max_message_size
_KEY = b"\x01\x02\x03\x04"


def answer(app, *pieces):
    """Send; the close code that comes, behind which the connection has to end."""
    with app.connect() as client:
        for piece in pieces:
            client.send(piece)
        while (received := client.read_frame()).opcode != CLOSE:
            pass
        assert client.at_end()
    wait_until(lambda: app.journal.count("closed") == app.journal.count("opened"))
    return received.close_code


def head(length, opcode=BINARY) -> bytes:
    """The head of a frame whose length is given in eight bytes."""
    return struct.pack("!BBQ", 0x80 | opcode, 0xFF, length) + _KEY


# -- B1: lengths that are only declared --------------------------------------------------


_LENGTHS = {
    2**63: 1002,
    2**64 - 1: 1002,
    2**63 - 1: 1009,
    2**62: 1009,
    2**32: 1009,
    _LIMIT + 1: 1009,
}


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_length_is_judged_when_nothing_of_it_has_come(shared_app, opcode):
    codes = {length: answer(shared_app, head(length, opcode)) for length in _LENGTHS}
    assert codes == _LENGTHS


def test_the_sum_of_fragments_is_judged_too(shared_app):
    first = frame(BINARY, bytes(1000), fin=False)
    assert answer(shared_app, first, head(_LIMIT - 999, CONTINUATION)) == 1009


# -- B6, B7: what is not allowed ---------------------------------------------------------

_BROKEN = {
    "rsv1": frame(TEXT, b"x", rsv=4),
    "rsv2": frame(TEXT, b"x", rsv=2),
    "rsv3": frame(BINARY, b"", rsv=1),
    "rsv on ping": frame(PING, b"", rsv=4),
    "continuation of nothing": frame(CONTINUATION, b"x"),
    "text inside a message": frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
    "fragmented ping": frame(PING, b"x", fin=False),
    "fragmented close": frame(CLOSE, b"\x03\xe8", fin=False),
    "long ping": frame(PING, bytes(126)),
    "long close": frame(CLOSE, b"\x03\xe8" + bytes(124)),
    "close of one byte": frame(CLOSE, b"\x03"),
    "unmasked text": frame(TEXT, b"x", mask=False),
    "unmasked empty": frame(TEXT, b"", mask=False),
    "unmasked ping": frame(PING, b"", mask=False),
    "unmasked close": frame(CLOSE, b"\x03\xe8", mask=False),
}
_BROKEN |= {
    f"opcode {number}": frame(number, b"") for number in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
}
_BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
_GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999]


def test_what_rfc_6455_forbids_is_a_1002(shared_app):
    codes = {kind: answer(shared_app, sent) for kind, sent in _BROKEN.items()}
    assert codes == dict.fromkeys(_BROKEN, 1002)


def test_a_close_code_that_may_not_be_sent(shared_app):
    codes = {code: answer(shared_app, close_frame(code)) for code in _BAD_CODES}
    assert codes == dict.fromkeys(_BAD_CODES, 1002)


def test_a_close_code_comes_back_and_is_reported(shared_app):
    for code in _GOOD_CODES:
        assert answer(shared_app, close_frame(code, b"so long")) == code
        assert shared_app.journal.all("closed")[-1].detail == (code, "so long")


def test_a_close_without_a_code(shared_app):
    assert answer(shared_app, frame(CLOSE)) == 1005
    assert shared_app.journal.all("closed")[-1].detail == (1005, "")


def test_nothing_behind_a_close_or_a_violation_is_looked_at(shared_app):
    messages = shared_app.journal.count("message")
    assert answer(shared_app, close_frame(1000) + frame(TEXT, b"late")) == 1000
    assert answer(shared_app, frame(3) + frame(TEXT, b"late")) == 1002
    assert shared_app.journal.count("message") == messages


# -- B8: UTF-8 -----------------------------------------------------------------------------

_SIZE = 64 * 1024
_ILLS = {
    "stray": b"\x80",
    "overlong": b"\xc0\xaf",
    "overlong of three": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond": b"\xf4\x90\x80\x80",
    "impossible": b"\xfe",
}


def fragments(payload, count) -> list:
    size = len(payload) // count + 1
    parts = [payload[start : start + size] for start in range(0, len(payload), size)]
    return [
        frame(CONTINUATION if number else TEXT, part, fin=number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_text_that_is_no_utf_8_is_a_1007_wherever_it_stands(shared_app, count):
    for position in (0, 1, _SIZE // 2, _SIZE - 1):
        for name, ill in _ILLS.items():
            payload = b"a" * position + ill + b"b" * (_SIZE - position)
            assert answer(shared_app, b"".join(fragments(payload, count))) == 1007, name


def test_text_that_ends_within_a_character(shared_app):
    for cut in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x92"):
        assert answer(shared_app, frame(TEXT, b"ok" + cut)) == 1007
        assert answer(shared_app, *fragments(b"ok" + cut, 3)) == 1007


def test_a_bad_byte_ends_the_connection_before_the_message_does(shared_app):
    assert answer(shared_app, frame(TEXT, b"ok\xff", fin=False)) == 1007
    # Here not even the frame has come to its end.
    assert answer(shared_app, frame(TEXT, b"ok\xff" + bytes(_SIZE))[:100]) == 1007


def test_a_reason_that_is_no_utf_8(shared_app):
    assert answer(shared_app, close_frame(1000, b"\xff")) == 1007


def test_a_character_that_is_cut_by_a_frame_is_whole_again(shared_app):
    text = "λ€💙".encode()
    for count in (2, 3, len(text)):
        with shared_app.connect(behind=b"".join(fragments(text, count))) as client:
            assert client.read_frame() == Frame(TEXT, text)
            client.say_goodbye()


# -- B9: any pieces ------------------------------------------------------------------------

_DIALOGUE = [
    frame(TEXT, "grüße".encode()),
    frame(BINARY, bytes(range(200))),
    frame(PING, b"?"),
    frame(TEXT, b"in ", fin=False),
    frame(PING, b"between"),
    frame(CONTINUATION, b"three ", fin=False),
    frame(CONTINUATION, b"parts"),
    frame(BINARY, bytes(70_000)),
    frame(TEXT, b""),
    close_frame(4000, b"done"),
]
_REPLIES = [
    Frame(TEXT, "grüße".encode()),
    Frame(BINARY, bytes(range(200))),
    Frame(PONG, b"?"),
    Frame(PONG, b"between"),
    Frame(TEXT, b"in three parts"),
    Frame(BINARY, bytes(70_000)),
    Frame(TEXT, b""),
    Frame(CLOSE, struct.pack("!H", 4000)),
]


def test_one_byte_at_a_time_is_the_same_as_everything_at_once(shared_app):
    everything = b"".join(each for each in _DIALOGUE if len(each) < 1000)
    expected = [each for each in _REPLIES if len(each.payload) < 1000]
    for size in (1, 2, 3, len(everything)):
        with shared_app.connect() as client:
            for start in range(0, len(everything), size):
                client.send(everything[start : start + size])
            assert client.finish() == expected, size
    with shared_app.connect(behind=everything) as client:
        assert client.finish() == expected


def test_pieces_of_any_size(shared_app):
    for size in (997, 1460, 4096, 65536):
        everything = b"".join(_DIALOGUE)
        with shared_app.connect() as client:
            for start in range(0, len(everything), size):
                client.send(everything[start : start + size])
            assert client.finish() == _REPLIES, size


def test_ten_thousand_frames_in_one_write(shared_app):
    with shared_app.connect() as client:
        client.send(b"".join(frame(TEXT, b"%d" % number, key=_KEY) for number in range(10_000)))
        for number in range(10_000):
            assert client.read_frame() == Frame(TEXT, b"%d" % number)
        client.say_goodbye()
