"""A queue of bytes that is emptied in pieces of any size."""

import random

import pytest

from ws4py._engine.outbox import Outbox


def test_in_order():
    outbox = Outbox()
    assert not outbox
    assert len(outbox) == outbox.size == 0
    for each in (b"a", b"", b"bc"):
        outbox.append(each)
    assert outbox.size == 3
    assert outbox.head() == b"abc"
    outbox.take(2)
    assert outbox.head() == b"c"
    outbox.take(1)
    assert not outbox


def test_nothing_is_nothing():
    outbox = Outbox()
    outbox.append(b"")
    outbox.append(b"x" * 100_000)
    assert len(outbox.head()) == 100_000


def test_a_large_piece_is_not_copied():
    outbox, large = Outbox(), b"x" * 1_000_000
    outbox.append(large)
    outbox.append(b"y")
    assert outbox.head() is large
    outbox.take(10)
    head = outbox.head()
    assert isinstance(head, memoryview)
    assert head.obj is large
    assert len(head) == len(large) - 10


def test_a_small_piece_before_a_large_one():
    outbox, large = Outbox(), b"x" * 100_000
    outbox.append(b"small")
    outbox.append(large)
    assert outbox.head() == b"small"
    outbox.take(1)
    assert outbox.head() == b"mall"
    outbox.take(4)
    assert outbox.head() is large


def test_head_begins_alike_until_it_is_taken():
    """OpenSSL demands that a write is repeated with the same bytes."""
    outbox = Outbox()
    outbox.append(b"first")
    before = bytes(outbox.head())
    outbox.append(b"second")
    assert bytes(outbox.head()) == before + b"second"
    outbox.take(3)
    before = bytes(outbox.head())
    outbox.append(b"third")
    assert bytes(outbox.head()).startswith(before)


def test_drain():
    outbox = Outbox()
    outbox.append(b"abc")
    outbox.take(1)
    outbox.append(b"d" * 100_000)
    assert outbox.drain() == b"bc" + b"d" * 100_000
    assert not outbox
    assert outbox.drain() == b""


@pytest.mark.parametrize("seed", range(20))
def test_any_pieces_come_out_as_they_went_in(seed):
    chance = random.Random(seed)
    outbox, went_in, came_out = Outbox(), b"", b""
    for _ in range(200):
        if chance.random() < 0.5:
            piece = chance.randbytes(chance.choice((0, 1, 100, 40_000, 65_536, 200_000)))
            outbox.append(piece)
            went_in += piece
        elif outbox:
            head = outbox.head()
            count = chance.randint(1, len(head))
            came_out += bytes(head[:count])
            outbox.take(count)
        assert outbox.size == len(went_in) - len(came_out)
    assert came_out + outbox.drain() == went_in
