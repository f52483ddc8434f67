"""Advisories about permessage-deflate: bombs, parameters that reach zlib, RSV1 out of turn.

What came out of the inflating is what counts, before it is delivered, on either end.
"""

import tracemalloc
import zlib

import pytest

from tests.support.deflating import RSV1, deflate, extension, violation
from tests.support.pair import peer_frame
from tests.support.raw import TEXT, frame
from tests.support.serving import Echo, serving
from tests.support.wire import BINARY, CONTINUATION
from ws4py.exc import HandshakeError
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.headers import parse_extensions
from ws4py.protocol.limits import Limits

MEBIBYTE = 1024 * 1024


def bomb(size):
    """So many mebibytes of zeros, a thousandth of it on the wire."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [deflater.compress(bytes(MEBIBYTE)) for _ in range(size)]
    return b"".join([*parts, deflater.flush(zlib.Z_SYNC_FLUSH)])[:-4]


def fail(role, *pieces):
    """Have a connection fail; return the most bytes that it held."""
    connection = Connection(role, Limits(max_message_size=MEBIBYTE), extension(role))
    tracemalloc.start()
    try:
        assert violation(connection, *pieces).code == 1009
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "role",
    [
        pytest.param(SERVER, id="CVE-2016-10544"),
        pytest.param(SERVER, id="CVE-2018-1000518"),
        pytest.param(SERVER, id="CVE-2021-21419"),
        pytest.param(SERVER, id="CVE-2026-39804"),
        pytest.param(SERVER, id="CVE-2026-54464"),
        pytest.param(SERVER, id="CVE-2026-54490"),
        pytest.param(SERVER, id="CVE-2026-77528"),
        pytest.param(SERVER, id="CVE-2026-116579"),
        pytest.param(CLIENT, id="CVE-2026-1526"),
        pytest.param(CLIENT, id="CVE-2026-107227"),
        pytest.param(CLIENT, id="CVE-2026-15709"),
    ],
)
def test_a_bomb_is_bounded_by_what_comes_out_of_it(role):
    """Of 256 MiB little more than the limit is ever there."""
    data = bomb(256)
    whole = peer_frame(role, BINARY, data, rsv=RSV1)
    assert fail(role, whole) < 4 * MEBIBYTE
    step = len(data) // 1000
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    first = peer_frame(role, BINARY, parts[0], fin=False, rsv=RSV1)
    rest = [peer_frame(role, CONTINUATION, part, fin=False) for part in parts[1:]]
    assert fail(role, first, *rest) < 4 * MEBIBYTE


def test_cve_2026_27571_a_bomb_before_anybody_has_logged_in():
    """The first message is bounded like any other: its sender is a stranger."""

    class Small(Echo):
        max_message_size = MEBIBYTE

    with serving() as served:
        websocket, peer = served.make(Small)
        websocket.stream.connection.extension = extension(SERVER)
        served.manager.add(websocket)
        peer.send(frame(TEXT, bomb(64), rsv=RSV1))
        assert peer.answer_close().close_code == 1009
        websocket.wait_end()
        assert websocket.messages == []


@pytest.mark.parametrize("bits", ["0", "7", "16", "-1", "a", "99999999999", "015", '""'])
@pytest.mark.parametrize("side", ["server", "client"])
def test_cve_2026_2229_window_bits_that_zlib_does_not_have(side, bits):
    """They never get there: the server declines, the client fails the handshake."""
    value = f"permessage-deflate; {side}_max_window_bits={bits}"
    try:
        ((_, found),) = parse_extensions(value)
    except HandshakeError:
        return
    assert PerMessageDeflate().accept(found) is None
    with pytest.raises(HandshakeError):
        PerMessageDeflate().confirm(found)


def test_cve_2026_59881_compressed_although_nothing_was_negotiated():
    for role in (CLIENT, SERVER):
        connection = Connection(role)
        sent = peer_frame(role, TEXT, deflate(b"abc"), rsv=RSV1)
        assert violation(connection, sent).code == 1002
