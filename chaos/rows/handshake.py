"""Section A: the opening handshake."""

from __future__ import annotations

import time
from typing import Any

from chaos.arena import Arena
from chaos.row import row
from chaos.settings import KIB, MIB, SLACK
from chaos.storm import Plan, pause
from chaos.wire import PATIENCE, TEXT, frame, request, requested

Fields = dict[str, str | list[str] | None]

_LAST = "cheroot keeps only the last of a repeated field, so nobody behind it can tell"
_HEADS = "cheroot reads heads in its worker threads, with socket_timeout for each read"
#: What one connection in the handshake may cost.
_HALF_OPEN = 24 * KIB


@row("A0", "nothing for three seconds", "W: what this machine itself makes of it", quick=True)
def nothing(arena: Arena) -> None:
    """Tells a busy machine from a server that stands still."""
    pause(3.0)
    arena.at_most("CPU", arena.cpu() / 3.0 * 100, 15.0, "%")


@row(
    "A1",
    "200 connections send half a request, a byte a second",
    "closed by open_timeout, W; CherryPy: the websockets do not notice",
    quick=True,
    no_http_on={"cherrypy": _HEADS},
)
def slow_heads(arena: Arena) -> None:
    """Slowloris."""
    plan = Plan(raw=True, again=request()[:-4], times=1, rate=1.0)
    with arena.storm(plan, 200) as storm:
        storm.open(200)
        storm.attack()
        ours = arena.server != "cherrypy"
        seen = storm.wait(arena.settings.open_timeout + 3.0 if ours else 3.0)
        arena.note(left=seen["alive"], statuses=seen["statuses"])
        if ours:
            arena.equal("connections left", seen["alive"], 0)
            arena.at_most("last closed after", seen["last_gone"], 3.0, "s")
        arena.grows_at_most(200 * _HALF_OPEN + SLACK)


@row(
    "A2",
    "a line of 64 KiB; 1,000 header fields; 8 MiB of them",
    "4xx and closed; CherryPy bounds the head as a whole",
    quick=True,
)
def long_heads(arena: Arena) -> None:
    """Heads that no browser sends."""
    whole = request()[:-2]
    field = b"x-filler: " + b"a" * 1000 + b"\r\n"
    attacks = {
        "a line of 64 KiB": b"x-long: " + b"a" * (64 * KIB) + b"\r\n",
        "1,000 fields": b"".join(b"x-%d: a\r\n" % number for number in range(1000)),
        "8 MiB": field * (8 * MIB // len(field)),
    }
    for name, fields in attacks.items():
        with arena.dial() as client:
            began = time.monotonic()
            client.send(whole + fields + b"\r\n")
            status, _ = client.head()
            arena.note(**{f"{name}: ms": round((time.monotonic() - began) * 1e3, 1)})
            # 0: reset, with the answer in front of what was never read.
            tolerated = [101] if arena.server == "cherrypy" and name != "8 MiB" else []
            arena.one_of(f"the answer to {name}", status, [400, 413, 414, 431, 0, *tolerated])
            if status != 101:
                arena.holds(f"closed after {name}", client.ends() is not None)
    arena.grows_at_most(2 * MIB + SLACK)


def _shapes() -> list[str]:
    size = 4 * KIB
    pieces = [" ", ",", '"', "a;b;a;b", "=", "a=", '="', "a;", ";;", "\\", '"\\', ",a", "a,a", "\t"]
    shapes = [(piece * size)[:size] for piece in pieces]
    shapes += ["x" + " " * size + "y", "x," + " " * size, "a" * size, 'a="' + "b" * size]
    shapes += ["permessage-deflate" + "; x" * (size // 3), "permessage-deflate, " * (size // 20)]
    shapes += [f"{first}{'; ' * 200}{last}" for first in "ab,;" for last in ("", "=", '"', "c=1")]
    shapes += ["constructor", "__proto__; a", "toString, hasOwnProperty", "é" * 20]
    return shapes[:40]


@row(
    "A3",
    "40 hostile shapes of two header fields, five times each",
    "each answered within 10 ms of CPU",
    witness=False,
    quick=True,
)
def hostile_fields(arena: Arena) -> None:
    """Everything that makes a regular expression run for ever."""
    worst, statuses = 0.0, set()
    for shape in _shapes():
        for name in ("sec_websocket_protocol", "sec_websocket_extensions"):
            before = arena.target.cpu()
            for _ in range(5):
                with arena.dial() as client:
                    statuses.add(client.upgrade("/deflate", **{name: shape}))
            worst = max(worst, (arena.target.cpu() - before) / 5 * 1e3)
    arena.at_most("CPU for the worst", worst, 10.0, "ms")
    arena.holds("every answer is 101, 400 or 431", statuses <= {101, 400, 431}, sorted(statuses))


@row(
    "A4",
    "an upgrade with a body: a length, chunks, both, two lengths; a request inside it",
    "400, Connection: close, the end; the request in the body is never seen",
    witness=False,
    quick=True,
)
def smuggled(arena: Arena) -> None:
    """RFC 6455 has no body in a handshake, and a proxy may think that there is one."""
    inner = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    bodies: dict[str, Fields] = {
        "a length": {"content_length": str(len(inner))},
        "chunks": {"transfer_encoding": "chunked"},
        "both": {"content_length": str(len(inner)), "transfer_encoding": "chunked"},
        "two lengths": {"content_length": ["0", str(len(inner))]},
    }
    for name, fields in bodies.items():
        _refused(arena, name, request("/ws", **fields) + inner, [400])


def _refused(arena: Arena, name: str, sent: bytes, statuses: list[int]) -> dict[str, str]:
    """Send a request that has to be refused, and see that this ends its connection."""
    with arena.dial() as client:
        client.send(sent)
        status, fields = client.head()
        arena.one_of(f"{name}: status", status, statuses)
        after = client.ends()
        arena.holds(f"{name}: closed", after is not None and after < PATIENCE / 2)
        if status:
            arena.equal(f"{name}: Connection", fields.get("connection", "").lower(), "close")
        arena.equal(f"{name}: answers", 1 + client.buffer.count(b"HTTP/1.1 "), 1)
        return fields


@row(
    "A5",
    "version 12, 99, none, doubled, with frames behind",
    "426 with Sec-WebSocket-Version: 13, closed; the bytes behind are nothing",
    witness=False,
    quick=True,
)
def versions(arena: Arena) -> None:
    """A proxy that looks only at the request would go on tunnelling."""
    behind = frame(TEXT, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", masked=False)
    wrong: dict[str, str | list[str] | None] = {
        "12": "12",
        "99": "99",
        "none": None,
        "doubled": ["13", "13"],
    }
    for name, version in wrong.items():
        if name == "doubled" and arena.server == "cherrypy":
            arena.note(doubled=_LAST)
            continue
        allowed = [426] if name in {"12", "99"} else [400, 426]
        sent = request("/ws", sec_websocket_version=version) + behind
        fields = _refused(arena, f"version {name}", sent, allowed)
        if name in {"12", "99"}:
            arena.equal(f"version {name}: offered", fields.get("sec-websocket-version"), "13")


@row(
    "A6",
    "Upgrade and Connection that only look right",
    "whole tokens, whatever their case",
    witness=False,
    quick=True,
)
def tokens(arena: Arena) -> None:
    """Substrings are none."""
    cases: list[tuple[Fields, list[int]]] = [
        ({"upgrade": "notwebsocket"}, [400, 426]),
        ({"upgrade": "websocket, x"}, [101]),
        ({"upgrade": "WebSocket"}, [101]),
        ({"connection": "keep-alive, Upgrade"}, [101]),
        ({"connection": "UPGRADE"}, [101]),
        ({"connection": "notupgrade"}, [400, 426]),
        ({"upgrade": None}, [400, 426]),
        ({"connection": None}, [400, 426]),
    ]
    for fields, expected in cases:
        with arena.dial() as client:
            arena.one_of(str(fields), client.upgrade("/ws", **fields), expected)


@row(
    "A7",
    "a key that is absent, empty, 15 or 17 bytes, no base64, doubled",
    "400, no traceback",
    witness=False,
    quick=True,
)
def keys(arena: Arena) -> None:
    """The key decodes to 16 bytes, and there is one."""
    good = "dGhlIHNhbXBsZSBub25jZQ=="
    wrong: dict[str, str | list[str] | None] = {
        "absent": None,
        "empty": "",
        "15 bytes": "dGhlIHNhbXBsZSBub25j",
        "17 bytes": "dGhlIHNhbXBsZSBub25jZWQ=",
        "no base64": "!!!!!!!!!!!!!!!!!!!!!!==",
        "doubled": [good, good],
    }
    for name, key in wrong.items():
        if name == "doubled" and arena.server == "cherrypy":
            arena.note(doubled=_LAST)
            continue
        _refused(arena, name, request("/ws", sec_websocket_key=key), [400])


@row(
    "A8",
    "POST, HTTP/1.0, no, two and malformed Hosts, CR LF NUL in the path",
    "4xx, and closed where the refusal is ours; no 101 for such a path",
    witness=False,
    quick=True,
)
def requests(arena: Arena) -> None:
    """What is no GET of HTTP/1.1 with one Host."""
    cases = {
        "POST": requested("POST /ws HTTP/1.1"),
        "HTTP/1.0": requested("GET /ws HTTP/1.0"),
        "no Host": request(host=None),
        "two Hosts": request(host=["a.example", "b.example"]),
        "a Host with a space": request(host="a b"),
        "a Host with a slash": request(host="a/b"),
    }
    paths = {
        "NUL in the path": requested("GET /ws\x00 HTTP/1.1"),
        "CR in the path": requested("GET /ws\rx HTTP/1.1"),
        "LF in the path": requested("GET /ws\nx: y HTTP/1.1"),
    }
    for name, sent in cases.items():
        if name == "two Hosts" and arena.server == "cherrypy":
            arena.note(two_hosts=_LAST)
        elif name == "no Host":
            arena.equal(name, _status(arena, sent), 400)
        else:
            _refused(arena, name, sent, list(range(400, 500)))
    for name, sent in paths.items():
        arena.holds(f"{name}: no 101", _status(arena, sent) != 101)


def _status(arena: Arena, sent: bytes) -> int:
    with arena.dial() as client:
        client.send(sent)
        return client.head()[0]


@row(
    "A9",
    "another site's Origin, tricks with suffix, prefix, port and user name",
    "403",
    witness=False,
    quick=True,
)
def origins(arena: Arena) -> None:
    """Cross-site WebSocket hijacking."""
    host = f"127.0.0.1:{arena.target.port}"
    own = f"http://{host}"
    evil = [
        "https://evil.example",
        f"{own}.evil.example",
        f"http://evil{host}",
        "null",
        f"http://{host}@evil.example",
        f"http://evil.example/{host}",
        f"http://evil.example#{host}",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        f"https://{host}",
        f"file://{host}",
        "",
    ]
    for origin in evil:
        with arena.dial() as client:
            status = client.upgrade("/ws", host=host, origin=origin)
            arena.one_of(f"Origin {origin!r}", status, [400, 403])
    for good in (own, None):
        with arena.dial() as client:
            arena.equal(f"Origin {good}", client.upgrade("/ws", host=host, origin=good), 101)


#: Handshakes a second, by server: the promise, on an idle machine.
_RATES = {"cherrypy": 1500.0, "gevent": 2000.0}


@row(
    "A10",
    "2,000 handshakes as fast as can be, then 500 that are refused",
    "1,500 a second on CherryPy, p99 within 400 ms, W",
)
def many(arena: Arena) -> None:
    """A crowd arrives."""
    with arena.storm(Plan(), 2000) as storm:
        seen = storm.open(2000)
        arena.equal("opened", seen["opened"], 2000)
        arena.at_least("handshakes", seen["opened"] / seen["seconds"], _RATES[arena.server], "/s")
        arena.at_most("handshake p99", seen["handshake_p99_ms"], 400.0, "ms")
        storm.say("reset")
    refused = Plan(raw=True, once=request(sec_websocket_version="12"))
    with arena.storm(refused, 500) as storm:
        storm.open(500)
        storm.attack()
        seen = storm.wait(10.0)
        arena.equal("refused", seen["statuses"], {"426": 500})


@row(
    "A11",
    "the peer resets at 20 places of the request and of the answer, 20 times each",
    "nothing is left of any of them",
)
def cut_off(arena: Arena) -> None:
    """Wherever a peer goes, in the handshake or just behind it."""
    sent = request("/ws")
    for place in range(20):
        for _ in range(20):
            with arena.dial() as client:
                client.send(sent[: len(sent) * (place + 1) // 20])
            with arena.dial() as client:
                client.send(request("/ws") + frame(TEXT, b"x" * place))
                client.sock.recv(place * 6 + 1)
    left = arena.target.until(lambda state: state["websockets"] <= 20, 5.0)
    arena.at_most("all gone after", left, 3.0, "s")
    pause(0.1)
    state: dict[str, Any] = arena.target.state()
    arena.equal("opened but not closed", state["opened"] - state["closed_total"], 20)
