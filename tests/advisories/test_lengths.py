"""Advisories about lengths: declared, summed, of 64 bits; and control frames that are too long."""

import tracemalloc

import pytest

from tests.support.deflating import violation
from tests.support.pair import peer_frame
from tests.support.raw import frame
from tests.support.serving import Echo, serving
from tests.support.wire import BINARY, CONTINUATION, PING, PONG, bare_header
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.limits import Limits

KIBIBYTE = 1024
LIMIT = 64 * KIBIBYTE


def connection(role=SERVER):
    return Connection(role, Limits(max_message_size=LIMIT))


def declared(role, size):
    return bare_header(BINARY, size, mask=role is SERVER)


@pytest.mark.parametrize(
    ("role", "size"),
    [
        pytest.param(SERVER, 2**63 - 1, id="CVE-2022-35922"),
        pytest.param(SERVER, 2**31, id="CVE-2018-21035"),
        pytest.param(SERVER, LIMIT + 1, id="CVE-2016-10542"),
        pytest.param(SERVER, 2**62, id="CVE-2025-32049"),
        pytest.param(SERVER, 2**63 - 8, id="CVE-2026-27889"),
        pytest.param(CLIENT, 2**63 - 1, id="CVE-2026-1528"),
        pytest.param(SERVER, 2**40, id="CVE-2026-33219"),
    ],
)
def test_a_length_is_refused_when_its_header_is_there(role, size):
    """And nothing is set aside for it, though nothing follows."""
    subject, sent = connection(role), declared(role, size)
    if role is SERVER:
        sent += b"\0\0\0\0"
    tracemalloc.start()
    try:
        assert violation(subject, sent).code == 1009
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()
    assert subject.buffered == 0


@pytest.mark.parametrize("size", [2**63, 2**63 + 1, 2**64 - 1])
@pytest.mark.parametrize("role", [SERVER, CLIENT], ids=["server", "client"])
@pytest.mark.parametrize("name", ["CVE-2020-13935", "CVE-2026-103472"])
def test_a_length_whose_top_bit_is_set(name, role, size):
    """RFC 6455 section 5.2: "the most significant bit MUST be 0"."""
    sent = declared(role, size) + (b"\0\0\0\0" if role is SERVER else b"")
    assert violation(connection(role), sent).code == 1002


def test_cve_2020_27813_the_sum_over_fragments_is_what_counts():
    subject = connection()
    half = frame(BINARY, bytes(LIMIT // 2), fin=False)
    rest = frame(CONTINUATION, bytes(LIMIT // 2), fin=False)
    assert subject.receive(half + rest) == []
    # The length of the next one would make the sum small again in 64 bits.
    huge = bare_header(CONTINUATION, 2**63 - LIMIT // 2) + b"\0\0\0\0"
    assert violation(subject, huge).code == 1009


@pytest.mark.parametrize("name", ["CVE-2026-54463", "CVE-2026-54466"])
def test_frames_of_the_old_drafts_are_none(name):
    """Their lengths went on for as long as a bit was set."""
    assert violation(connection(), b"\x80" + b"\xff" * 100).code == 1002


def test_cve_2024_52532_input_that_is_no_frame_comes_to_an_end():
    """Every byte is looked at once, whatever it is, and errors are final."""
    for first in range(256):
        subject = connection()
        subject.receive(bytes([first]) + b"\x80\0\0\0\0")
        if subject.violation is not None:
            assert subject.receive(b"\xff" * 1000) == []


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("role", [SERVER, CLIENT], ids=["server", "client"])
def test_cve_2026_15711_a_control_frame_above_125_bytes(role, opcode):
    assert violation(connection(role), peer_frame(role, opcode, bytes(126))).code == 1002


def test_cve_2026_15565_one_message_may_not_fill_the_memory():
    """The limit is there without being asked for, and holds for what is put together."""

    class Small(Echo):
        max_message_size = LIMIT

    assert Echo.max_message_size is not None
    with serving() as served:
        websocket, peer = served.connect(Small)
        peer.send(frame(BINARY, bytes(LIMIT // 2), fin=False))
        peer.send(frame(CONTINUATION, bytes(LIMIT // 2), fin=False))
        peer.send(frame(CONTINUATION, b"x"))
        assert peer.answer_close().close_code == 1009
        websocket.wait_end()
        assert websocket.messages == []
