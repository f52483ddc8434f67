"""Section C: permessage-deflate."""

from __future__ import annotations

import zlib

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB, SLACK
from chaos.storm import Plan
from chaos.wire import CONTINUATION, TEXT, Client, frame

_OFFER = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
_EXTRA = f"Sec-WebSocket-Extensions: {_OFFER}\r\n"
_TAIL = b"\x00\x00\xff\xff"
_LIMIT = {"max_message_size": 1 * MIB}
#: What a connection takes without zlib, in KiB; S1 looks closer.
_CONNECTION = 10
_WITNESSES = 20
#: What one step of the codec may hold beside the message.
_STEP = 64 * KIB


def _deflated(data: bytes, level: int = 9) -> bytes:
    """Compress as section 7.2.1 of RFC 7692 says."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    done = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return done.removesuffix(_TAIL)


def _zeros(size: int) -> bytes:
    """Compress so many zeros, without having them."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 * MIB)
    parts = [compressor.compress(block) for _ in range(size // MIB)]
    parts.append(compressor.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts).removesuffix(_TAIL)


def _client(arena: Arena) -> Client:
    return arena.client("/deflate", sec_websocket_extensions=_OFFER)


def _code(arena: Arena, sent: bytes) -> int:
    with _client(arena) as client:
        client.send(sent)
        return client.close_code()


@row(
    "C1",
    "256 MiB of zeros in 254 KiB: whole, in 4,000 fragments, on 50 connections at once",
    "1009 within 10 ms of CPU each; the limit is held inside the inflating",
    settings=_LIMIT,
    quick=True,
)
def bombs(arena: Arena) -> None:
    """A decompression bomb."""
    bomb = _zeros(256 * MIB)
    step = len(bomb) // 4000 + 1
    pieces = [bomb[at : at + step] for at in range(0, len(bomb), step)]
    parts = b"".join(frame(CONTINUATION, each, fin=False) for each in pieces[1:])
    arena.equal("whole", _code(arena, frame(TEXT, bomb, rsv=4)), 1009)
    fragmented = frame(TEXT, pieces[0], fin=False, rsv=4) + parts
    arena.equal("in fragments", _code(arena, fragmented), 1009)
    before = arena.target.cpu()
    plan = Plan(path="/deflate", extra=_EXTRA, once=frame(TEXT, bomb, rsv=4))
    with arena.storm(plan, 50) as storm:
        storm.open(50)
        storm.attack()
        seen = storm.wait(15.0)
        arena.equal("50 at once", seen["codes"], {"1009": 50})
    arena.at_most("CPU for each", (arena.target.cpu() - before) / 50 * 1e3, 10.0, "ms")
    arena.grows_at_most(50 * (arena.settings.max_message_size + _STEP) + SLACK)


@row(
    "C2",
    "a message whose excess comes out with the very last bytes",
    "1009; one of exactly the limit is delivered",
    settings=_LIMIT,
    witness=False,
    quick=True,
)
def last_bytes(arena: Arena) -> None:
    """The bound holds for the flush as well."""
    limit = arena.settings.max_message_size
    for excess in (1, 2, 100, 258):
        sent = frame(TEXT, _deflated(b"a" * (limit + excess)), rsv=4)
        arena.equal(f"{excess} bytes too many", _code(arena, sent), 1009)
    with _client(arena) as client:
        client.send(frame(TEXT, _deflated(b"a" * limit), rsv=4))
        received = client.next_message()
        arena.holds("the limit itself", received is not None and received.opcode == TEXT)


@row(
    "C3",
    "1,000 bombs in sequence on one connection, each just within the limit",
    "allowed; W",
    settings=_LIMIT,
)
def within(arena: Arena) -> None:
    """It is that connection's own time."""
    count = 1000
    once = frame(TEXT, _deflated(bytes(arena.settings.max_message_size)), rsv=4)
    expected = arena.target.state()["messages"] + count
    plan = Plan(path="/deflate-quiet", extra=_EXTRA, again=once, times=count)
    with arena.storm(plan, 1) as storm:
        storm.open(1)
        storm.attack()
        storm.finish(30.0)
        after = arena.target.until(lambda state: state["messages"] >= expected, 30.0)
        arena.holds("all delivered", after is not None)
    arena.grows_at_most(4 * arena.settings.max_message_size + SLACK)


@row(
    "C4",
    "offers with windows of 0, 7, 8, 16, -1, a, 99999999999; doubled, unknown, 500 of them",
    "declined or 400, no exception, within 10 ms of CPU",
    witness=False,
    quick=True,
)
def offers(arena: Arena) -> None:
    """A parameter is checked before it reaches zlib."""
    name = "permessage-deflate"
    windows = ["0", "7", "8", "16", "-1", "a", "99999999999", '"', ""]
    cases = [
        f"{name}; {side}_max_window_bits={bits}"
        for side in ("server", "client")
        for bits in windows
    ]
    cases += [f"{name}; {name}", f"{name}; server_no_context_takeover; server_no_context_takeover"]
    cases += [f"{name}; unknown", f"{name}; server_no_context_takeover=1", f"{name}, " * 300 + name]
    worst, statuses = 0.0, set()
    for offer in cases:
        before = arena.target.cpu()
        with arena.dial() as client:
            statuses.add(client.upgrade("/deflate", sec_websocket_extensions=offer))
        worst = max(worst, (arena.target.cpu() - before) * 1e3)
    arena.holds("every answer is 101 or 400", statuses <= {101, 400, 431}, sorted(statuses))
    arena.at_most("CPU for the worst", worst, 10.0, "ms")
    arena.holds("serves", arena.serves())


@row(
    "C5",
    "RSV1 without negotiation and on a continuation; streams that are none",
    "1002, 1002, 1007 or 1002",
    witness=False,
    quick=True,
)
def corrupt(arena: Arena) -> None:
    """What is compressed is not to be trusted either."""
    with arena.client() as client:
        client.send(frame(TEXT, _deflated(b"abc"), rsv=4))
        arena.equal("RSV1 without negotiation", client.close_code(), 1002)
    begun = frame(TEXT, _deflated(b"abc"), fin=False, rsv=4)
    arena.equal("on a continuation", _code(arena, begun + frame(0, b"x", rsv=4)), 1002)
    dictionary = zlib.compressobj(9, zlib.DEFLATED, 15, zdict=b"abcdefgh")
    with_dictionary = dictionary.compress(b"abcdefgh" * 9) + dictionary.flush()
    wrong = {
        "noise": bytes(range(255, 100, -1)),
        "a distance too far": b"\x4b\x04\xf2\xff\xff\xff",
        "zlib's own header": zlib.compress(b"abc" * 99),
        "a preset dictionary": with_dictionary,
        "not UTF-8": _deflated(b"\xff" * 9),
    }
    for name, data in wrong.items():
        arena.one_of(name, _code(arena, frame(TEXT, data, rsv=4)), [1002, 1007])


def _each(arena: Arena, path: str, bits: int) -> tuple[float, int]:
    """Have 1,000 connections that remember what was said.

    Returns how much memory each takes, and how much the server holds then.
    """
    count = 1000
    said = bytes(range(32, 127)) * 40
    extra = (
        f"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits={bits}; "
        f"server_max_window_bits={bits}\r\n"
    )
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    data = compressor.compress(said) + compressor.flush(zlib.Z_SYNC_FLUSH)
    plan = Plan(path=path, extra=extra, once=frame(TEXT, data.removesuffix(_TAIL), rsv=4))
    before = arena.target.rss()
    with arena.storm(plan, count) as storm:
        storm.open(count)
        storm.attack()
        storm.finish(10.0)
        seen = storm.last(1.0)
        arena.equal(f"{path}: echoes", seen["messages"], count)
        held = arena.target.rss()
        storm.say("reset")
    arena.target.until(lambda state: state["websockets"] <= _WITNESSES, 5.0)
    return (held - before) / count, held


@row(
    "C6",
    "1,000 connections that remember: windows of 12 bits, then of 15",
    "what zlib says of 12 bits and level 5, and 110 KiB each, beside the connection",
    # zlib's blocks are below what the allocator gives back one by one: that nothing is kept shows
    # when the same crowd comes again and finds room.
    rss_left=200 * MIB,
)
def remembering(arena: Arena) -> None:
    """What context takeover costs."""
    small, _ = _each(arena, "/deflate-12", 12)
    large, _ = _each(arena, "/deflate-15", 15)
    # The heap has found its size when the crowd has come some times.
    held = [_each(arena, "/deflate-15", 15)[1] for _ in range(4)]
    arena.at_most("the same crowd again", held[-1] / max(held[:-1]), 1.05, "times the memory")
    # zlib.h: a compressor takes (1 << (bits + 2)) + (1 << (level + 9)), its counterpart 1 << bits
    # and some 7 KiB. The connection itself takes the rest.
    zlib_says = (1 << 14) + (1 << 14) + (1 << 12) + 7 * KIB
    arena.at_most("12 bits", small / KIB, zlib_says / KIB + _CONNECTION, "KiB")
    # Of the 295 KiB that it says of 15 bits and level 8, most is never touched.
    arena.at_most("15 bits", large / KIB, 110.0 + _CONNECTION, "KiB")
