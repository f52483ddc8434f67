"""permessage-deflate: what it holds, and what it lets out."""

import gc
import tracemalloc
import zlib

import pytest

from tests.support.deflating import (
    REMEMBER,
    RSV1,
    agree,
    deflate,
    extension,
    pair_of,
    violation,
)
from tests.support.pair import BOTH_ENDS, BOTH_ROLES, peer_frame
from tests.support.wire import ALL_WIDTHS, BINARY, TEXT, frame
from ws4py.exc import FrameTooLargeException, ProtocolException
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.limits import Limits

MEBIBYTE = 1024 * 1024

#: Advisories against others whose limit did not hold for what came out, by the role that
#: was attacked.
ADVISORIES = [
    *(
        pytest.param(SERVER, id=name)
        for name in (
            "CVE-2016-10544",
            "CVE-2018-1000518",
            "CVE-2021-21419",
            "CVE-2026-27571",
            "CVE-2026-39804",
            "CVE-2026-54464",
            "CVE-2026-54490",
            "CVE-2026-77528",
            "CVE-2026-116579",
        )
    ),
    *(
        pytest.param(CLIENT, id=name)
        for name in ("CVE-2026-1526", "CVE-2026-15709", "CVE-2026-107227")
    ),
]


class TestMemory:
    """An idle connection holds a zlib object only for context takeover."""

    @BOTH_ENDS
    def test_nothing_is_kept_without_it(self, name):
        pair = pair_of(PerMessageDeflate())
        data = ALL_WIDTHS.encode() * 100
        for sender in (pair.server, pair.client):
            pair.send(sender, sender.connection.send_message(TEXT, data))
        pair.run()
        end = getattr(pair, name)
        assert end.messages == [(TEXT, data)]
        kept = [type(each) for each in gc.get_referents(end.connection.extension)]
        assert type(zlib.decompressobj()) not in kept
        assert type(zlib.compressobj()) not in kept

    def test_a_window_each_with_it(self):
        pair = pair_of(REMEMBER)
        pair.send(pair.server, pair.server.connection.send_message(TEXT, b"a" * 300))
        pair.run()
        holders = [end.connection.extension for end in (pair.server, pair.client)]
        assert holders[0]._deflater is not None
        assert holders[1]._inflater is not None
        assert holders[0]._inflater is holders[1]._deflater is None

    @pytest.mark.parametrize("window", [9, 12, 15])
    @pytest.mark.parametrize("mem_level", [1, 5, 9])
    def test_what_is_kept_is_a_formula_of_the_options(self, window, mem_level):
        """The one in docs/compression.md; zlib's own structures are far below 16 KiB each."""
        configured = PerMessageDeflate(
            server_no_context_takeover=False,
            client_no_context_takeover=False,
            server_max_window_bits=window,
            client_max_window_bits=window,
            mem_level=mem_level,
        )
        text = b"".join(b"line %d, " % number for number in range(1000))
        server, client = agree(configured)
        payload = client.encode(BINARY, text)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            server.decode(payload, True, None)
            server.encode(BINARY, text)
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        formula = 2 ** (window + 2) + 2 ** (mem_level + 9) + 2**window
        assert formula / 2 < kept < formula + 2 * 16 * 1024

    @BOTH_ROLES
    @pytest.mark.parametrize("data", [b"\xff\xff", deflate(b"a" * 300)])
    def test_nothing_is_kept_of_a_connection_that_failed(self, role, data):
        found = extension(role)
        connection = Connection(role, Limits(max_message_size=200), found)
        violation(connection, peer_frame(role, BINARY, data, rsv=RSV1))
        assert found._inflater is None


class TestLimit:
    """Inflated bytes are what counts, and they are counted inside."""

    def bomb(self):
        """A gibibyte of zeros in less than a mebibyte."""
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        part = deflater.compress(bytes(16 * MEBIBYTE)) + deflater.flush(zlib.Z_FULL_FLUSH)
        data = part * 64
        assert len(data) < MEBIBYTE
        return data[:-4]

    def fail(self, role, *pieces):
        """Have a connection fail; return the most memory that this took."""
        connection = Connection(role, Limits(max_message_size=MEBIBYTE), extension(role))
        tracemalloc.start()
        try:
            why = violation(connection, *pieces)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (why.code, why.reason) == (1009, "inflated message above max_message_size")
        assert connection.buffered == 0
        return peak

    @pytest.mark.parametrize("role", ADVISORIES)
    def test_a_bomb_in_one_frame(self, role):
        bomb = self.bomb()
        piece = peer_frame(role, BINARY, bomb, rsv=RSV1)
        # The frame unmasked, a copy on the way, and what came out twice: as it grew and whole.
        assert self.fail(role, piece) < 3 * len(piece) + 3 * MEBIBYTE

    @BOTH_ROLES
    def test_a_bomb_in_fragments_and_pieces(self, role):
        bomb = self.bomb()
        parts = [bomb[start : start + 250] for start in range(0, len(bomb), 250)]
        assert len(parts) > 4000
        pieces = [
            peer_frame(role, BINARY if not number else 0, part, fin=False, rsv=0 if number else 4)
            for number, part in enumerate(parts)
        ]
        assert self.fail(role, *pieces) < 4 * MEBIBYTE

    @pytest.mark.parametrize("size", [0, 1, 100, 70_000])
    @pytest.mark.parametrize("level", [0, 9])
    def test_exactly_the_limit_and_one_byte_more(self, size, level):
        assert extension().decode(deflate(bytes(size), level=level), True, size) == bytes(size)
        with pytest.raises(FrameTooLargeException):
            extension().decode(deflate(bytes(size + 1), level=level), True, size)

    @BOTH_ROLES
    def test_the_limit_is_that_of_the_connection(self, role):
        connection = Connection(role, Limits(max_message_size=300), extension(role))
        whole = peer_frame(role, BINARY, deflate(bytes(300)), rsv=RSV1)
        assert connection.receive(whole) == [(BINARY, bytes(300))]
        excess = peer_frame(role, BINARY, deflate(bytes(301)), rsv=RSV1)
        assert violation(connection, excess).code == 1009

    def test_the_excess_may_come_with_the_tail(self):
        """A stored block of four bytes whose content is the tail that we put back."""
        payload = b"\x00\x05\x00\xfa\xff1\x00"[:6]
        server = extension()
        assert server.decode(payload, False, 1) == b"1"
        with pytest.raises(FrameTooLargeException):
            server.decode(b"", True, 0)

    def test_what_is_left_of_the_limit_counts_over_all_parts(self):
        data = bytes(range(256)) * 8
        payload = deflate(data)

        def left_of(room):
            server = extension()
            for start in range(0, len(payload), 7):
                part = payload[start : start + 7]
                room -= len(server.decode(part, start + 7 >= len(payload), room))
            return room

        assert left_of(len(data)) == 0
        with pytest.raises(FrameTooLargeException):
            left_of(len(data) - 1)

    def test_what_several_streams_give_counts_together(self):
        streams = [b"\xf3\x48\xcd\xc9\xc9\x07\x00"] * 3
        assert extension().decode(b"".join(streams), True, 15) == b"Hello" * 3
        with pytest.raises(FrameTooLargeException):
            extension().decode(b"".join(streams), True, 14)

    def test_no_limit_at_all(self):
        connection = Connection(SERVER, Limits(None, None, None), extension())
        data = deflate(bytes(MEBIBYTE))
        assert connection.receive(frame(BINARY, data, rsv=RSV1)) == [(BINARY, bytes(MEBIBYTE))]

    def test_a_message_may_grow_on_its_way_and_is_limited_there_too(self):
        """What cannot be compressed is longer on the wire, where the limit is the same."""
        connection = Connection(SERVER, Limits(max_message_size=10), extension())
        payload = deflate(b"0123456789", level=0)
        assert len(payload) > 10
        assert violation(connection, frame(BINARY, payload, rsv=RSV1)).code == 1009


class TestLastBlocks:
    """Section 7.2.1: "DEFLATE blocks with the "BFINAL" bit set to 1" may be anywhere."""

    LAST = b"\xf3\x48\xcd\xc9\xc9\x07\x00"
    OPEN = b"\xf2\x48\xcd\xc9\xc9\x07\x00"

    @pytest.mark.parametrize("configured", [REMEMBER, PerMessageDeflate()], ids=["keep", "forget"])
    @pytest.mark.parametrize("step", [1, 3, 100])
    @pytest.mark.parametrize(
        "payload",
        [
            LAST + OPEN,
            LAST + LAST + b"\x00",
            LAST + LAST,
            OPEN[:-1] + b"\x00\x00\x00\xff\xff" + LAST,
        ],
    )
    def test_data_goes_on_behind_them(self, configured, step, payload):
        server = extension(configured=configured)
        for _ in range(2):
            parts = [payload[start : start + step] for start in range(0, len(payload), step)]
            out = [server.decode(part, False, None) for part in parts]
            assert b"".join([*out, server.decode(b"", True, None)]) == b"Hello" * 2

    def test_the_window_is_empty_behind_one(self):
        """As in browsers."""
        server = extension()
        assert server.decode(self.LAST + b"\x00", True, None) == b"Hello"
        with pytest.raises(ProtocolException, match="not valid"):
            server.decode(b"\xf2\x00\x11\x00\x00", True, None)

    def test_a_million_streams_in_one_message_take_time_in_proportion(self):
        """Copying the rest at each of them would be a day's work and end by the time-out."""
        assert extension().decode(b"\x03\x00" * 1_000_000, True, 10) == b""


@BOTH_ROLES
def test_what_one_read_becomes_is_bounded(role):
    """Bytes that wait are fed again, and nothing is lost or reordered."""
    connection = Connection(role, Limits(), extension(role))
    bomb = deflate(b"\0" * (MEBIBYTE // 4))
    data = b"".join(peer_frame(role, BINARY, bomb, rsv=RSV1) for _ in range(40))
    rounds = []
    while data:
        rounds.append([len(payload) for _, payload in connection.receive(data)])
        data = connection.take_unread()
    assert sum(map(len, rounds)) == 40
    assert max(map(sum, rounds)) <= MEBIBYTE + MEBIBYTE // 4
    assert connection.at_rest


def test_bytes_that_wait_come_first_whoever_feeds():
    connection = Connection(SERVER, Limits(), extension(SERVER))
    bomb = peer_frame(SERVER, BINARY, deflate(b"\0" * 2 * MEBIBYTE), rsv=RSV1)
    events = connection.receive(bomb + bomb)
    assert len(events) == 1
    events += connection.receive(peer_frame(SERVER, TEXT, b"last"))
    events += connection.receive(connection.take_unread())
    assert [len(payload) for _, payload in events] == [2 * MEBIBYTE, 2 * MEBIBYTE, 4]
