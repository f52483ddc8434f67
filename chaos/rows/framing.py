"""Section B: frames that are wrong, huge, or many."""

from __future__ import annotations

import time

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB, SLACK
from chaos.storm import Plan
from chaos.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    Client,
    close_frame,
    frame,
    header,
)

#: How soon a wrong frame is answered, in milliseconds.
_SOON = 50.0


def _answer(arena: Arena, sent: bytes, path: str = "/ws") -> tuple[int, float]:
    """Send bytes on a connection of their own; return the close code and the milliseconds."""
    with arena.client(path) as client:
        began = time.monotonic()
        client.send(sent)
        code = client.close_code()
        return code, (time.monotonic() - began) * 1e3


@row(
    "B1",
    "lengths of 2^63, 2^63-1, 2^62, 2^32 and one above the limit; nothing follows",
    "1002 and 1009 at once, nothing set aside",
    quick=True,
)
def huge_lengths(arena: Arena) -> None:
    """A length is judged from its header."""
    most = arena.settings.max_message_size
    lengths = {2**63: 1002, 2**63 - 1: 1009, 2**62: 1009, 2**32: 1009, most + 1: 1009}
    slowest = 0.0
    for length, expected in lengths.items():
        code, took = _answer(arena, header(BINARY, length))
        arena.equal(f"{length} bytes", code, expected)
        slowest = max(slowest, took)
    first = header(BINARY, most, fin=False)
    arena.equal("in fragments", _answer(arena, first + b"\0" * most + header(0, 1))[0], 1009)
    arena.at_most("slowest answer", slowest, _SOON, "ms")
    arena.grows_at_most(5 * 64 * KIB + 1.25 * most + SLACK)


@row(
    "B2",
    "1 GiB declared, 200 MiB pushed",
    "1009 from the header; what follows is discarded, and reset at close_timeout",
    quick=True,
)
def pushed(arena: Arena) -> None:
    """Who goes on sending is discarded for a while."""
    plan = Plan(
        path="/quiet", once=header(BINARY, 1 << 30), again=b"\0" * (64 * KIB), times=3200, mute=True
    )
    with arena.storm(plan, 1) as storm:
        storm.open(1)
        storm.attack()
        seen = storm.wait(arena.settings.close_timeout + 3.0)
        arena.equal("close code", seen["codes"], {"1009": 1})
        arena.equal("connections left", seen["alive"], 0)
        arena.at_most("gone after", seen["last_gone"], arena.settings.close_timeout + 1.0, "s")
        arena.note(pushed_mib=seen["sent_bytes"] // MIB)
    arena.grows_at_most(1 * MIB + SLACK)


@row(
    "B3",
    "100 connections send all of a 1 MiB frame but the last byte, and answer no ping",
    "memory for what was received, W, closed by ping_timeout",
)
def almost(arena: Arena) -> None:
    """Memory held is at most 1.25 times what has come."""
    size = 1 * MIB
    plan = Plan(path="/quiet", once=header(BINARY, size) + b"\0" * (size - 1), mute=True)
    with arena.storm(plan, 100) as storm:
        storm.open(100)
        storm.attack()
        storm.finish(10.0)
        timeouts = (arena.settings.ping_interval or 0) + (arena.settings.ping_timeout or 0)
        seen = storm.wait(timeouts + arena.settings.close_timeout + 3.0)
        arena.equal("connections left", seen["alive"], 0)
        arena.note(codes=seen["codes"], last_gone=seen["last_gone"])
    arena.grows_at_most(100 * 1.25 * size + SLACK)


@row(
    "B4",
    "a million fragments of one byte, then of none, without an end",
    "1008 at the one above max_fragments, at most a microsecond of CPU each",
    quick=True,
)
def fragments(arena: Arena) -> None:
    """Empty ones count."""
    for name, body in (("one byte", b"x"), ("empty", b"")):
        before = arena.target.cpu()
        plan = Plan(
            path="/quiet",
            once=frame(TEXT, body, fin=False),
            again=frame(CONTINUATION, body, fin=False),
            times=1_000_000,
        )
        with arena.storm(plan, 1) as storm:
            storm.open(1)
            storm.attack()
            seen = storm.wait(20.0)
            arena.equal(f"{name}: close code", seen["codes"], {"1008": 1})
        used = (arena.target.cpu() - before) * 1e6 / (arena.settings.max_fragments or 1)
        arena.at_most(f"{name}: CPU for each", used, 1.0, "µs")
    arena.grows_at_most(256 * KIB + SLACK)


def _delivered(arena: Arena, sent: bytes, connections: int) -> float:
    """Have so many send one message each; return the CPU seconds that it cost."""
    expected = arena.target.state()["messages"] + connections
    with arena.storm(Plan(path="/quiet", once=sent), connections) as storm:
        storm.open(connections)
        before = arena.target.cpu()
        storm.attack()
        storm.finish(20.0)
        after = arena.target.until(lambda state: state["messages"] >= expected, 20.0)
        used = arena.target.cpu() - before
        arena.holds("all delivered", after is not None)
        storm.say("reset")
    return used


@row(
    "B5",
    "4,096 fragments of 256 B, legal, on 100 connections",
    "delivered; the work grows with the number of fragments and no faster",
    witness=False,
)
def legal_fragments(arena: Arena) -> None:
    """No quadratic growth."""
    part = frame(CONTINUATION, b"x" * 256, fin=False)
    last = frame(CONTINUATION, b"", fin=True)

    def message(count: int) -> bytes:
        return frame(BINARY, b"x" * 256, fin=False) + part * (count - 1) + last

    whole = _delivered(arena, frame(BINARY, b"x" * (256 * 4096)), 100)
    few = _delivered(arena, message(1024), 100)
    many = _delivered(arena, message(4096), 100)
    arena.note(whole_ms=whole * 1e3, fragments_1024_ms=few * 1e3, fragments_4096_ms=many * 1e3)
    arena.at_most("4 times the fragments cost", many / few, 6.0, "times as much")
    arena.at_most("CPU for each fragment", many * 1e6 / (100 * 4096), 3.0, "µs")


_WRONG: dict[str, bytes] = {
    **{f"RSV{3 - bit}": frame(TEXT, b"x", rsv=1 << bit) for bit in range(3)},
    **{f"opcode {code}": frame(code, b"x") for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a fragmented ping": frame(PING, b"x", fin=False),
    "a fragmented close": frame(CLOSE, b"", fin=False),
    "a ping of 126 bytes": frame(PING, b"x" * 126),
    "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "a close of one byte": frame(CLOSE, b"\x03"),
    **{
        f"close code {code}": close_frame(code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000)
    },
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "a text inside a text": frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"),
}


@row(
    "B6",
    "reserved bits and opcodes, fragmented and long control frames, wrong close codes",
    "1002 each within 50 ms; 1012 to 1014 are fine",
    quick=True,
)
def malformed(arena: Arena) -> None:
    """Everything that section 5 of RFC 6455 forbids."""
    slowest = 0.0
    for name, sent in _WRONG.items():
        code, took = _answer(arena, sent)
        arena.equal(name, code, 1002)
        slowest = max(slowest, took)
    for code in (1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999):
        arena.equal(f"close code {code}", _answer(arena, close_frame(code))[0], code)
    arena.at_most("slowest answer", slowest, _SOON, "ms")


@row("B7", "frames without a mask, empty ones too", "1002", witness=False, quick=True)
def unmasked(arena: Arena) -> None:
    """A server refuses them (section 5.1)."""
    for opcode in (TEXT, BINARY, PING, CLOSE):
        for payload in (b"", b"\x03\xe8x"):
            code, _ = _answer(arena, frame(opcode, payload, masked=False))
            arena.equal(f"opcode {opcode}, {len(payload)} bytes", code, 1002)


_BAD = {
    "a tail alone": b"\x80",
    "never a byte": b"\xff",
    "overlong": b"\xc0\x80",
    "a surrogate": b"\xed\xa0\x80",
    "above 10FFFF": b"\xf4\x90\x80\x80",
}


def _text(bad: bytes, at: int, parts: int) -> bytes:
    """Return the frames of a 64 KiB text up to its wrong bytes; the rest is never sent."""
    size = 64 * KIB
    payload = (b"\xc3\xa9" * (size // 2))[: at & ~1] + bad
    step = size // parts
    sent = b""
    for number in range(parts):
        piece = payload[number * step : (number + 1) * step]
        opcode = CONTINUATION if number else TEXT
        whole = frame(opcode, piece.ljust(step, b"a"), fin=number == parts - 1)
        if len(piece) < step:
            return sent + whole[: len(whole) - step + len(piece)]
        sent += whole
    return sent


@row(
    "B8",
    "invalid UTF-8 at 32 places of a 64 KiB text, in 1, 2 and 7 fragments; cut short at its end",
    "1007, before the message ends",
    witness=False,
)
def not_utf8(arena: Arena) -> None:
    """Judged as it comes; that it is so at every place, the unit tests show."""
    places = [0, 2, 4, 64 * KIB - 8, *range(1022, 64 * KIB - 8, 2342)]
    for parts in (1, 2, 7):
        for number, at in enumerate(places):
            name = list(_BAD)[number % len(_BAD)]
            code, _ = _answer(arena, _text(_BAD[name], at, parts))
            arena.equal(f"{name} at {at} in {parts}", code, 1007)
    arena.equal("cut short at the end", _answer(arena, frame(TEXT, b"a\xe2\x82"))[0], 1007)


def _echoes(client: Client, expected: int) -> int:
    """Count echoes until so many are there, or the connection ends."""
    for count in range(expected):
        received = client.next_message()
        if received is None or received.opcode == CLOSE:
            return count
    return expected


@row(
    "B9",
    "frames a byte at a time; then 10,000 frames in one piece",
    "as if they had come whole; the 10,000 echoed within 200 ms",
)
def cut_up(arena: Arena) -> None:
    """Where the kernel cuts is nobody's business."""
    sent = frame(TEXT, b"abc") + frame(BINARY, b"x" * 130) + frame(TEXT, b"a", fin=False)
    sent += frame(PING, b"between") + frame(CONTINUATION, b"b") + frame(TEXT, b"")
    with arena.client() as client:
        for octet in sent:
            client.send(bytes([octet]))
        arena.equal("echoes of what came by the byte", _echoes_and_pong(client), 5)
        client.send(close_frame())
        arena.equal("then", client.close_code(), 1000)
    with arena.client() as client:
        client.sock.settimeout(20.0)
        began = time.monotonic()
        client.send(frame(TEXT, b"12345678") * 10_000)
        size = 10 * 10_000
        while len(client.buffer) < size and client.more():
            continue
        arena.at_most("10,000 echoes", (time.monotonic() - began) * 1e3, 200.0, "ms")
        arena.equal("their bytes", client.buffer.count(b"\x81\x0812345678"), 10_000)


def _echoes_and_pong(client: Client) -> int:
    """Count the four echoes and the pong."""
    count = 0
    for _ in range(5):
        received = client.next_message()
        count += received is not None and received.opcode != CLOSE
    return count


@row(
    "B11",
    "texts of 16 MiB, four of them, while the witnesses talk",
    "echoed; W",
)
def large(arena: Arena) -> None:
    """Masking and UTF-8 of 16 MiB must not hold up the others."""
    text = frame(TEXT, "é".encode() * (8 * MIB))
    with arena.client() as client:
        for _ in range(4):
            client.send(text)
            received = client.next_message()
            arena.equal("echoed", len(received.payload) if received else 0, 16 * MIB)
