"""Advisories about messages of very many fragments, empty ones included."""

import tracemalloc

import pytest

from tests.support.deflating import violation
from tests.support.pair import peer_frame
from tests.support.wire import CONTINUATION, TEXT
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.limits import DEFAULT_MAX_FRAGMENTS, Limits

MANY = 20_000

TINY = [
    pytest.param(SERVER, b"x", id="CVE-2014-0193"),
    pytest.param(SERVER, b"x", id="CVE-2026-48779"),
    pytest.param(SERVER, b"", id="CVE-2026-62389"),
    pytest.param(SERVER, b"x", id="CVE-2026-42786"),
    pytest.param(SERVER, b"", id="CVE-2026-63495"),
    pytest.param(CLIENT, b"", id="undici-2026-06"),
]


@pytest.mark.parametrize(("role", "body"), TINY)
def test_the_number_of_fragments_is_bounded(role, body):
    subject = Connection(role, Limits(max_fragments=MANY))
    first = peer_frame(role, TEXT, body, fin=False)
    more = peer_frame(role, CONTINUATION, body, fin=False)
    assert subject.receive(first + more * (MANY - 1)) == []
    assert violation(subject, more).code == 1008


@pytest.mark.parametrize(("role", "body"), TINY)
def test_a_fragment_costs_no_more_than_its_bytes(role, body):
    """One buffer for all of them: no object stays for each."""
    subject = Connection(role)
    first = peer_frame(role, TEXT, body, fin=False)
    more = peer_frame(role, CONTINUATION, body, fin=False) * 1000
    subject.receive(first)
    tracemalloc.start()
    try:
        for _ in range(MANY // 1000):
            subject.receive(more)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * MANY * len(body) + 8 * 1024


def test_there_is_a_limit_without_asking_for_one():
    assert Limits().max_fragments == DEFAULT_MAX_FRAGMENTS


def test_cve_2026_48804_nothing_above_frames_is_put_together():
    """A message is delivered whole, and the next one begins with nothing."""
    subject = Connection(SERVER, Limits(max_fragments=3))
    three = [
        peer_frame(SERVER, TEXT, b"a", fin=False),
        peer_frame(SERVER, CONTINUATION, b"b", fin=False),
        peer_frame(SERVER, CONTINUATION, b"c"),
    ]
    for _ in range(100):
        assert subject.receive(b"".join(three)) == [(TEXT, b"abc")]
    assert subject.buffered == 0
