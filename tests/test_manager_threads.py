"""Many threads send on one connection, and the frames stay whole and in order."""

import hashlib
import random
import threading

import pytest

from tests.support.raw import BINARY, CONTINUATION, PING, PONG, TEXT, close_frame, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import wait_until
from ws4py.exc import ConnectionClosed

pytestmark = pytest.mark.parametrize("kind", ["tcp", "ssl", "pyopenssl"])

THREADS = 8


@pytest.fixture(name="served")
def fixture_served():
    with serving() as served:
        yield served


def start(targets):
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def sealed(sender, number, chance):
    """A payload of any size that tells its sender, its place in line and its own sum."""
    body = b"%d %d " % (sender, number) + chance.randbytes(chance.choice((1, 100, 5000, 200_000)))
    return hashlib.sha256(body).digest() + body


def opened_seal(payload):
    assert hashlib.sha256(payload[32:]).digest() == payload[:32]
    sender, number, _ = payload[32:].split(b" ", 2)
    return int(sender), int(number)


def test_frames_never_interleave(served, kind):
    websocket, peer = served.connect(Echo, kind)
    each = 25

    def send(sender):
        chance = random.Random(sender)
        for number in range(each):
            websocket.send(sealed(sender, number, chance), binary=True)
            websocket.ping(b"%d" % sender)

    threads = start([lambda sender=sender: send(sender) for sender in range(THREADS)])
    peer.send(frame(PING, b"mine") + frame(TEXT, b"echo"))
    last = dict.fromkeys(range(THREADS), -1)
    pings = pongs = texts = 0
    while min(last.values()) < each - 1 or pings < THREADS * each or not (pongs and texts):
        received = peer.read_frame()
        if received.opcode == BINARY:
            sender, number = opened_seal(received.payload)
            assert number == last[sender] + 1
            last[sender] = number
        pings += received.opcode == PING
        pongs += received == (PONG, b"mine", True, 0)
        texts += received == (TEXT, b"echo", True, 0)
    join(threads)


def test_fragmented_messages_never_interleave(served, kind):
    """Two generators at once, while others send whole messages."""
    websocket, peer = served.connect(kind=kind)
    rounds = 10

    def parts(name):
        for number in range(5):
            yield f"{name}{number}."

    def stream(name):
        for _ in range(rounds):
            websocket.send(parts(name))

    def whole():
        for number in range(rounds):
            websocket.send(b"%d" % number, binary=True)
            websocket.ping(b"p")

    threads = start([lambda: stream("a"), lambda: stream("b"), whole])
    messages, wholes, current = [], [], None
    while len(messages) < 2 * rounds or len(wholes) < rounds:
        received = peer.read_frame()
        if received.opcode == PING:
            continue
        if received.opcode == BINARY:
            assert current is None, "a whole message inside a fragmented one"
            wholes.append(received.payload)
            continue
        assert (received.opcode == CONTINUATION) is (current is not None)
        current = (current or b"") + received.payload
        if received.fin:
            messages.append(current)
            current = None
    join(threads)
    expected = {name: "".join(parts(name)).encode() for name in "ab"}
    assert sorted(messages) == sorted(list(expected.values()) * rounds)
    assert wholes == [b"%d" % number for number in range(rounds)]


@pytest.mark.parametrize("how", ["close", "terminate", "close_connection", "reset", "goodbye"])
def test_sending_while_it_ends(served, kind, how):
    websocket, peer = served.connect(kind=kind)
    websocket.close_timeout = 0.3
    begun = threading.Barrier(THREADS + 1)
    raised = []

    def send():
        begun.wait()
        try:
            while True:
                websocket.send(b"x" * 1000, binary=True)
                websocket.ping(b"p")
        except ConnectionClosed as error:
            raised.append(error)

    threads = start([send] * THREADS)
    begun.wait()
    for _ in range(5):
        peer.read_frame()
    if how == "reset":
        peer.reset()
    elif how == "goodbye":
        peer.send(close_frame())
    else:
        getattr(websocket, how)()
    join(threads)
    websocket.wait_end()
    assert len(raised) == THREADS


def test_connections_end_and_begin_under_fire(served, kind):
    """Every way to end at once, on short lives: each ends once, nobody else is hurt."""
    chance = random.Random(1)
    witness, witness_peer = served.connect(Echo)

    def live():
        websocket, peer = served.connect(Recorder, kind)
        peer.send(frame(TEXT, b"x"))
        ways = [websocket.close, websocket.terminate, websocket.close_connection, peer.reset]
        join(start(chance.sample(ways, 2)))
        peer.sock.close()

    for _ in range(10):
        join(start([live] * 4))
    wait_until(lambda: len(served.manager) == 1)
    witness_peer.send(frame(TEXT, b"still here"))
    assert witness_peer.read_frame().payload == b"still here"
    assert witness.ends == []
