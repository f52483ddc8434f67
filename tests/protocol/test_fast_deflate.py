"""isal in zlib's place: the same data format within the same window, or nothing at all."""

import importlib.util
import random
import sys
import zlib

import pytest

from ws4py.protocol import fast_deflate
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.fast_deflate import WORTHWHILE_FROM, fast_deflater

TAIL = b"\x00\x00\xff\xff"
TEXT = 1


def payload(size):
    """Bytes that repeat themselves over any distance."""
    chosen = random.Random(size)
    words = [bytes(chosen.choices(b"abcdefgh", k=chosen.randrange(3, 40))) for _ in range(200)]
    data = bytearray()
    while len(data) < size:
        data += chosen.choice(words)
    return bytes(data[:size])


def compressed_by(deflater, data):
    return deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize("level", range(1, 7))
@pytest.mark.parametrize("bits", range(9, 16))
def test_zlib_reads_it_with_a_window_of_that_size(bits, level):
    for size in (WORTHWHILE_FROM, 40_000, 300_000):
        data = payload(size)
        made = compressed_by(fast_deflater(level, bits), data)
        assert made.endswith(TAIL)
        assert len(made) < size
        # It raises for a distance that is too far back.
        assert zlib.decompressobj(-bits).decompress(made) == data


@pytest.mark.parametrize("level", [0, 7, 8, 9])
def test_not_for_who_wants_all_bytes_saved_or_none(level):
    assert fast_deflater(level, 12) is None


def test_not_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "isal", None)
    spec = importlib.util.spec_from_file_location("without", fast_deflate.__file__)
    without = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(without)
    assert without.fast_deflater(6, 12) is None


class TestItsPlaceInAConnection:
    def encoded(self, size, monkeypatch, **options):
        """Whether isal was asked for a message of that size, which the peer can read."""
        asked = []

        def ask(level, bits):
            asked.append((level, bits))
            return fast_deflater(level, bits)

        monkeypatch.setattr("ws4py.protocol.deflate.fast_deflater", ask)
        offer = PerMessageDeflate(**options)
        _, ours = offer.accept(offer.offer())
        data = payload(size)
        for _ in range(2):
            sent = ours.encode(TEXT, data)
            assert ours.decode(sent, True, size) == data
        return asked

    def test_large_messages(self, monkeypatch):
        assert self.encoded(WORTHWHILE_FROM, monkeypatch, level=4) == [(4, 12)] * 2

    def test_zlib_where_it_has_no_such_level(self, monkeypatch):
        assert self.encoded(WORTHWHILE_FROM, monkeypatch, level=9) == [(9, 12)] * 2

    def test_not_small_ones(self, monkeypatch):
        assert not self.encoded(WORTHWHILE_FROM - 1, monkeypatch)

    def test_not_with_context_takeover(self, monkeypatch):
        takeover = {"server_no_context_takeover": False, "client_no_context_takeover": False}
        assert not self.encoded(WORTHWHILE_FROM, monkeypatch, **takeover)

    def test_not_with_the_smallest_window(self, monkeypatch):
        windows = {"server_max_window_bits": 8, "client_max_window_bits": 8}
        assert not self.encoded(WORTHWHILE_FROM, monkeypatch, **windows)
