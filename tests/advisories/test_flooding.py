"""Advisories about peers that make a server hold or start things without end."""

import threading
import time
import tracemalloc

import pytest

from tests.support.raw import PING, PONG, TEXT, frame
from tests.support.serving import Echo, Recorder, serving
from tests.support.waiting import DEADLINE, wait_until

KIBIBYTE = 1024


def flood(peer, data, total):
    """Send until the kernel takes nothing for a while, or has it all; return what it took."""
    peer.sock.settimeout(0.5)
    sent = 0
    try:
        while sent < total:
            sent += peer.sock.send(data)
    except TimeoutError:
        pass
    finally:
        peer.sock.settimeout(DEADLINE)
    return sent


class Patient(Echo):
    """Its peer may take its time."""

    write_timeout = None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(frame(PING, b"p" * 125), id="CVE-2026-109932"),
        pytest.param(frame(TEXT, b"e" * 125), id="CVE-2020-35896"),
        pytest.param(frame(TEXT, b""), id="undici-5503"),
        pytest.param(frame(PING, b""), id="CVE-2026-33203"),
    ],
)
def test_who_does_not_read_is_not_read_from(sent):
    """What it makes us send is bounded: in the end the kernel takes nothing more from it."""
    many = sent * (64 * KIBIBYTE // len(sent))
    with serving() as served:
        websocket, peer = served.connect(Patient)
        assert flood(peer, many, 64 * KIBIBYTE * KIBIBYTE) < 64 * KIBIBYTE * KIBIBYTE
        outlet = websocket._outlet
        # The limit, and what one read can make of it.
        assert outlet.unsent < websocket.unsent_soft_limit + 4 * 64 * KIBIBYTE
        _, other = served.connect(Echo)
        other.send(frame(TEXT, b"not held up"))
        assert other.read_frame().payload == b"not held up"
        peer.reset()


def test_cve_2021_3690_pongs_leave_nothing_behind():
    class Deaf(Recorder):
        def ponged(self, pong):
            pass

    with serving() as served:
        websocket, peer = served.connect(Deaf)
        some = frame(PONG, b"p" * 125) * 500

        def exchange():
            expected = len(websocket.messages) + 1
            peer.send(some + frame(TEXT, b"x"))
            wait_until(lambda: len(websocket.messages) >= expected)

        exchange()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(10):
                exchange()
            # The last ones may still be in the hands of the loop.
            wait_until(lambda: tracemalloc.get_traced_memory()[0] - before < 5000 * 16)
        finally:
            tracemalloc.stop()
        peer.say_goodbye()


@pytest.mark.parametrize("name", ["CVE-2026-48802", "CVE-2026-48809", "CVE-2026-53522"])
def test_no_thread_for_a_connection_or_a_packet(name):
    """With a heartbeat too."""

    class Beating(Echo):
        ping_interval = 0.05
        ping_timeout = DEADLINE

    with serving() as served:
        before = threading.active_count()
        peers = [served.connect(Beating)[1] for _ in range(30)]
        for peer in peers:
            peer.send(frame(TEXT, b"x") * 10)
        for peer in peers:
            kinds = [peer.read_frame().opcode for _ in range(11)]
            assert sorted(kinds) == [TEXT] * 10 + [PING]
        assert threading.active_count() == before
        for peer in peers:
            peer.reset()


def test_atmosphere_902_one_slow_client_does_not_hold_up_a_broadcast():
    """Neither the call nor the other clients."""
    with serving() as served:
        slow, unread = served.connect(Patient)
        _, good = served.connect(Echo)
        data = b"b" * (64 * KIBIBYTE)
        got = 0
        begin = time.monotonic()
        while slow._outlet is not None and slow._outlet.unsent < 4 * len(data):
            assert time.monotonic() - begin < DEADLINE
            served.manager.broadcast(data, binary=True)
            assert good.read_frame().payload == data
            got += 1
        assert got > 1
        unread.reset()
        good.say_goodbye()
