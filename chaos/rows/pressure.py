"""Section D: peers that send too much or read too little, and handlers that do not return."""

from __future__ import annotations

import time

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB, SLACK
from chaos.storm import Plan, pause
from chaos.wire import BINARY, CLOSE, PING, PONG, TEXT, Client, frame, header

_PAYLOAD = b"p" * 125
#: What a timer, a turn of the loop and a busy machine may add to a time-out, in seconds.
_LATE = 1.5


def _stuck(arena: Arena) -> float:
    """Return how long a peer that takes nothing may stay, in seconds."""
    return arena.settings.write_timeout + arena.settings.close_timeout + _LATE


@row(
    "D1",
    "5 peers send pings of 125 B at wire speed for 5 s and read nothing",
    "at most one pong waits for each, W, closed after write_timeout",
    quick=True,
)
def ping_flood(arena: Arena) -> None:
    """Nothing that a peer makes us send is queued without bound."""
    plan = Plan(again=frame(PING, _PAYLOAD), deaf=True, mute=True)
    with arena.storm(plan, 5) as storm:
        storm.open(5)
        storm.attack()
        seen = storm.wait(5.0 + _stuck(arena))
        arena.equal("connections left", seen["alive"], 0)
        arena.note(sent_mib=seen["sent_bytes"] // MIB, last_gone=seen["last_gone"])
        arena.grows_at_most(5 * 96 * KIB + SLACK)


@row("D2", "5 peers send pongs that nobody asked for, at wire speed for 5 s", "W, no growth")
def pong_flood(arena: Arena) -> None:
    """Section 5.5.3: no answer to them is expected."""
    with arena.storm(Plan(again=frame(PONG, _PAYLOAD)), 5) as storm:
        storm.open(5)
        storm.attack()
        seen = storm.last(5.0)
        arena.equal("connections left", seen["alive"], 5)
        arena.note(sent_mib=seen["sent_bytes"] // MIB)
        storm.say("reset")
    arena.grows_at_most(5 * 64 * KIB + SLACK)


@row(
    "D3",
    "empty texts at wire speed to an echo that is not read",
    "reading pauses, memory within the hard limit, then 1008 or a reset",
    quick=True,
)
def unread_echo(arena: Arena) -> None:
    """Who does not read is not read from."""
    with arena.storm(Plan(again=frame(TEXT), deaf=True, mute=True), 1) as storm:
        storm.open(1)
        storm.attack()
        seen = storm.wait(5.0 + _stuck(arena))
        arena.equal("connections left", seen["alive"], 0)
        arena.note(codes=seen["codes"], last_gone=seen["last_gone"])
    arena.grows_at_most(2 * arena.settings.unsent_hard_limit + SLACK)


@row(
    "D4",
    "500 peers, each inside one frame of 1 MiB, send a byte a second",
    "8 KiB each, 5 % of a core; it is legal",
)
def drip(arena: Arena) -> None:
    """Memory is for what has come."""
    plan = Plan(path="/quiet", once=header(BINARY, 1 * MIB), again=b"x", times=60, rate=1.0)
    with arena.storm(plan, 500) as storm:
        storm.open(500)
        opened, cpu = arena.target.rss() - arena.base.rss, arena.target.cpu()
        storm.attack()
        seen = storm.last(6.0)
        arena.at_most("CPU", (arena.target.cpu() - cpu) / 6.0 * 100, 5.0, "%")
        arena.equal("connections left", seen["alive"], 500)
        arena.grows_at_most(opened + 500 * 8 * KIB + SLACK)
        storm.say("reset")


_READERS, _STALLED = 1000, 10
_MESSAGE = 4 * KIB
#: Messages a second: what one core can send to so many is about eighty thousand.
_PACE = 50


@row(
    "D5",
    "a broadcast to 1,000 of whom 10 stop reading: 50 messages of 4 KiB a second for 20 s",
    "the 990 get all of it in order and as soon as without the 10, who are closed; memory bounded",
)
def slow_readers(arena: Arena) -> None:
    """A slow reader holds up nobody but itself."""
    with arena.storm(Plan(path="/member", stamped=True), _READERS) as storm:
        storm.open(_READERS)
        arena.target.ask("broadcast", count=5 * _PACE, size=_MESSAGE, seconds=5.0)
        before = storm.last(6.0)
        arena.equal("messages before", before["messages"], 5 * _PACE * _READERS)
    with arena.storm(Plan(path="/member", stamped=True), _READERS) as storm:
        storm.open(_READERS)
        storm.say("stall", _STALLED)
        storm.attack()
        arena.target.ask("broadcast", count=20 * _PACE, size=_MESSAGE, seconds=20.0)
        storm.wait(22.0, _READERS - _STALLED)
        storm.last(0.1)
        arena.target.until(lambda state: not state["broadcast"]["running"], 25.0)
        after = storm.last(1.0)
        calls = arena.target.state()["broadcast"]
        arena.equal("the broadcast's error", calls.get("failed"), None)
        arena.equal("connections left", after["alive"], _READERS - _STALLED)
        arena.equal("out of order", after["disorder"], 0)
        got = after["messages"] / (20 * _PACE * (_READERS - _STALLED))
        # Those who stopped had read some at the very first.
        arena.at_least("share of the messages received", got, 1.0)
        bound = max(1.5 * before["delivery_p99_ms"], 50.0)
        arena.at_most("delivery p99", after["delivery_p99_ms"], bound, "ms")
        arena.at_most("a call, p99", calls.get("p99_ms"), 5.0 + 0.015 * _READERS, "ms")
        arena.note(without=before["delivery_p99_ms"], last_gone=after["last_gone"], calls=calls)
        arena.grows_at_most(
            _STALLED * arena.settings.unsent_hard_limit + 8 * MIB + _READERS * 8 * KIB
        )
        storm.say("reset")


@row(
    "D6",
    "a broadcast to 1,000 of whom all stop reading",
    "the call never waits, 64 MiB at the most, all closed, back to the base",
    rss_left=16 * MIB,
)
def nobody_reads(arena: Arena) -> None:
    """What is queued for all is there once."""
    with arena.storm(Plan(path="/member", deaf=True, mute=True), _READERS) as storm:
        storm.open(_READERS)
        storm.attack()
        # Enough to fill what the kernel takes for each, and the limit.
        arena.target.ask("broadcast", count=300, size=16 * KIB, seconds=8.0)
        seen = storm.wait(10.0 + _stuck(arena))
        arena.equal("connections left", seen["alive"], 0)
        arena.target.until(lambda state: not state["broadcast"]["running"], 10.0)
        calls = arena.target.state()["broadcast"]
        arena.at_most("a call, p99", calls.get("p99_ms"), 5.0 + 0.05 * _READERS, "ms")
        arena.note(calls=calls, last_gone=seen["last_gone"], codes=seen["codes"])
    arena.grows_at_most(64 * MIB + _READERS * 8 * KIB)


_WORKERS = 4


@row(
    "D7",
    "one peer floods a handler that needs 10 ms for a message",
    "its reading pauses at max_queue; W",
    manager={"workers": _WORKERS},
)
def slow_handler(arena: Arena) -> None:
    """A slow handler holds up nobody but its own connection."""
    with arena.storm(Plan(path="/slow", again=frame(TEXT, b"x" * 20)), 1) as storm:
        storm.open(1)
        storm.attack()
        seen = storm.last(3.0)
        arena.note(sent_mib=seen["sent_bytes"] / MIB, messages=arena.target.state()["messages"])
        arena.equal("connections left", seen["alive"], 1)
        arena.grows_at_most(2 * arena.settings.max_queue_size + SLACK)
        storm.say("reset")


@row(
    "D8",
    "a handler blocks for 4 s, one of the workers",
    "W",
    manager={"workers": _WORKERS},
    quick=True,
)
def one_blocks(arena: Arena) -> None:
    """That is what workers are for."""
    with arena.client("/blocking") as client:
        client.send(frame(TEXT, b"4"))
        received = client.next_message()
        arena.holds("it comes back", received is not None and received.payload == b"awake")


@row(
    "D8b",
    "all handlers block for 3 s, as many as there are workers",
    "pings answered, HTTP unaffected, the next message within 100 ms behind the first that returns",
    # They answer no ping either, and are not what is to be seen.
    settings={"ping_interval": None, "ping_timeout": None},
    manager={"workers": _WORKERS},
    witness=False,
)
def all_block(arena: Arena) -> None:
    """The loop itself waits for nobody."""
    blocked = [arena.client("/blocking") for _ in range(_WORKERS)]
    begin = time.monotonic()
    for client in blocked:
        client.send(frame(TEXT, b"3"))
    pause(0.5)
    with arena.client("/ws") as other, arena.dial() as page:
        arena.at_most("a ping's answer", _timed(other, frame(PING, b"x"), PONG), 500.0, "ms")
        asked = time.monotonic()
        page.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        arena.equal("HTTP", page.head()[0], 200)
        arena.at_most("a page", (time.monotonic() - asked) * 1e3, 250.0, "ms")
        _timed(other, frame(TEXT, b"x"), TEXT)
        # Under gevent nobody waits for anybody: the message is answered at once.
        behind = (time.monotonic() - begin - 3.0) * 1e3
        arena.at_most("the next message, behind the first return", behind, 150.0, "ms")
    for client in blocked:
        received = client.next_message()
        arena.holds("each comes back", received is not None and received.payload == b"awake")
        client.reset()


def _timed(client: Client, sent: bytes, awaited: int) -> float:
    """Return the milliseconds until a frame of this kind comes."""
    begin = time.monotonic()
    client.send(sent)
    while (received := client.next_message()) is not None and received.opcode != awaited:
        if received.opcode == CLOSE:
            break
    return (time.monotonic() - begin) * 1e3


_RAISES = 300


@row(
    "D9",
    "handlers raise in opened, received_message and closed, 300 times each",
    "1011 to that peer, one traceback each, closed() once, W",
    tracebacks=None,
    quick=True,
)
def raises(arena: Arena) -> None:
    """A program's mistake costs one connection."""
    plans = {
        "opened": Plan(path="/raises-opened"),
        "message": Plan(path="/raises-message", once=frame(TEXT, b"x")),
        "closed": Plan(path="/raises-closed", once=frame(CLOSE, b"\x03\xe8")),
    }
    for name, plan in plans.items():
        with arena.storm(plan, _RAISES) as storm:
            storm.open(_RAISES)
            storm.attack()
            seen = storm.wait(10.0)
            code = "1000" if name == "closed" else "1011"
            arena.equal(f"raising in {name}: codes", seen["codes"], {code: _RAISES})
    arena.target.until(lambda state: state["websockets"] <= 20, 5.0)
    found = arena.target.tracebacks()
    arena.equal("tracebacks", len(found), 3 * _RAISES)
    kinds = sorted({each.split(":")[0].rsplit(".")[-1] for each in found})
    arena.equal("of", kinds, ["HandlerError"])


@row(
    "D10",
    "8 threads send 5,000 messages each on one connection, from 1 B to 200 KiB, pings between",
    "no frame inside another one; ConnectionClosed behind the end",
)
def hammer(arena: Arena) -> None:
    """Frames never interleave."""
    threads, each = 8, 5000
    with arena.client("/member") as client:
        arena.target.ask("hammer", threads=threads, messages=each)
        good = bad = 0
        while (received := client.next_message()) is not None and received.opcode != CLOSE:
            body = received.payload[4:]
            head = len(body).to_bytes(3, "big") + body[:1]
            if received.payload[:4] == head and body == body[:1] * len(body):
                good += 1
            else:
                bad += 1
        arena.equal("messages that are not as they were sent", bad, 0)
        client.send(frame(CLOSE, b"\x03\xe8"))
        arena.target.until(lambda state: not state["hammer"]["running"], 10.0)
        said = arena.target.state()["hammer"]
        arena.equal("received", good, said["sent"])
        arena.equal("refused behind the end", said["refused"], {"ConnectionClosed": 10})
