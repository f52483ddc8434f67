"""Random frames, right and wrong, cut anywhere: both engines make the same of them."""

import itertools

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import fuzzing
from tests.support.lanes import engine, in_lane
from tests.support.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo

fuzzing.set_up()

_PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(str.encode),
    st.sampled_from([b"", b"x" * 126, b"\xff" * 300, "€".encode() * 2000, b"y" * 70_000]),
)
_DATA = st.builds(
    lambda opcode, payload: frame(opcode, payload, key=b"\x01\x80\x00\xfe"),
    st.sampled_from([TEXT, BINARY]),
    _PAYLOADS,
)
_FRAGMENTS = st.builds(
    lambda opcode, payload, fin: frame(opcode, payload, fin=fin, key=b"4key"),
    st.sampled_from([TEXT, CONTINUATION, CONTINUATION]),
    _PAYLOADS,
    st.booleans(),
)
_CONTROL = st.builds(
    lambda opcode, payload: frame(opcode, payload[:125], key=b"ctrl"),
    st.sampled_from([PING, PONG]),
    _PAYLOADS,
)
_WRONG = st.sampled_from(
    [
        frame(TEXT, b"x", mask=False),
        frame(BINARY, b"x", rsv=4, key=b"1234"),
        frame(5, b"x", key=b"1234"),
        frame(PING, b"x" * 126, key=b"1234"),
        b"\x82\xfe\x00\x01key.x",
        b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"key.",
        close_frame(1006),
        close_frame(1000, b"bye"),
    ]
)
SEQUENCES = st.lists(st.one_of(_DATA, _DATA, _FRAGMENTS, _CONTROL, _WRONG), max_size=8)
CUTS = st.lists(st.integers(0, 2**20), max_size=5)


def outcome(served, pieces):
    """What the program was told and what the peer was answered."""
    websocket, peer = served.connect(Echo)
    in_lane(served, websocket)
    for piece in pieces:
        peer.send(piece)
    # However the sequence ended: this ends the connection.
    peer.send(close_frame(4999))
    answers = peer.finish()
    peer.sock.close()
    websocket.wait_end()
    served.websockets.remove(websocket)
    served.peers.remove(peer)
    return websocket.events, answers


def cut(data, places):
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(borders)]


def test_the_same_callbacks_and_the_same_answers():
    with engine("lane") as fast, engine("portable") as portable:

        @settings(max_examples=150)
        @given(sequence=SEQUENCES, places=CUTS)
        @example(sequence=[frame(TEXT, b"x" * 200_000 + b"\xff" * 200_000)], places=[1000, 250_000])
        @example(sequence=[frame(TEXT, b"x" * 200_000), frame(PING, b"")], places=[1000, 200_010])
        @example(sequence=[frame(TEXT, b"a"), frame(CONTINUATION, b"b")], places=[])
        def agree(sequence, places):
            pieces = cut(b"".join(sequence), places)
            told, answered = outcome(fast, pieces)
            assert (told, answered) == outcome(portable, pieces)
            assert told[-1][0] == "closed"
            assert answered[-1].opcode == CLOSE

        agree()
