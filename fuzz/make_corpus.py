"""Writes the committed corpus anew: ``python -m fuzz.make_corpus``.

The inputs are real handshakes and frames, each behind the bytes that choose what is tried with it;
a file's name says what it is. Files that this program does not know stay: they are finds.
"""

from __future__ import annotations

import zlib

from fuzz.places import CORPUS
from fuzz.targets import NAMES
from fuzz.targets.handshake import KEY
from fuzz.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame

__all__ = ["made", "write"]

_CUT = b"\x01\x07"
_BYTE_BY_BYTE = b"\x00\x0e"
_KEY = b"\x00\x00\x00\x00"
_REAL_KEY = b"\x37\xfa\x21\x3d"
_TEXT = "aé€😀".encode()


def write() -> None:
    """Write every input to its file."""
    for target in NAMES:
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in made(target).items():
            (folder / name).write_bytes(data)


def made(target: str) -> dict[str, bytes]:
    """Return the inputs of a target by their names."""
    return {
        "frames": _frames,
        "connection": _connection,
        "handshake": _handshake,
        "headers": _headers,
        "deflate": _deflate,
    }[target]()


def _streams(key: bytes | None) -> dict[str, bytes]:
    """What a peer may send, right and wrong."""

    def one(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
        return frame(opcode, payload, fin=fin, rsv=rsv, key=key)

    fragments = one(TEXT, _TEXT[:2], fin=False) + one(PING, b"between")
    return {
        "text": one(TEXT, _TEXT) + one(TEXT),
        "binary": one(BINARY, bytes(range(256))),
        "longest-short-length": one(BINARY, b"x" * 125) + one(BINARY, b"x" * 126),
        "eight-byte-length": one(BINARY, b"y" * 65536)[:400],
        "fragments": fragments + one(CONTINUATION, _TEXT[2:5], fin=False) + one(0, _TEXT[5:]),
        "fragments-closed": fragments + one(CLOSE, close_payload(1001)),
        "ping-pong": one(PING, b"p" * 125) + one(PONG) + one(PING),
        "close": one(TEXT, b"bye") + one(CLOSE, close_payload(1000, b"bye")) + one(TEXT, b"late"),
        "close-empty": one(CLOSE),
        "close-wrong": one(CLOSE, b"\x03"),
        "close-never-sent": one(CLOSE, close_payload(1006)),
        "close-not-utf8": one(CLOSE, close_payload(1000, b"\xff")),
        "not-utf8": one(TEXT, b"ok") + one(TEXT, b"\xed\xa0\x80"),
        "not-utf8-across": one(TEXT, b"\xf4", fin=False) + one(CONTINUATION, b"\x90"),
        "reserved-bit": one(BINARY, b"x", rsv=2),
        "reserved-opcode": one(3, b"x"),
        "long-control": one(PING, b"x" * 126),
        "fragmented-control": one(PING, b"x", fin=False),
        "continuation-alone": one(CONTINUATION, b"x"),
        "too-large": one(BINARY, b"x" * 201),
        "many-fragments": one(BINARY, fin=False) + one(CONTINUATION, fin=False) * 8,
    }


def _frames() -> dict[str, bytes]:
    found = {}
    for name, stream in _streams(_KEY).items():
        found[f"server-{name}"] = b"\x01" + _CUT + stream
    for name in ("text", "fragments", "too-large", "many-fragments"):
        found[f"server-small-{name}"] = b"\x03" + _CUT + _streams(_REAL_KEY)[name]
        found[f"client-{name}"] = b"\x00" + _CUT + _streams(None)[name]
    extended = frame(TEXT, _TEXT, rsv=4, key=_KEY) + frame(BINARY, b"", rsv=4, key=_KEY)
    found["server-extension"] = b"\x05" + _CUT + extended
    found["wrong-not-minimal"] = b"\x01" + _CUT + b"\x82\xfe\x00\x01\x00\x00\x00\x00x"
    found["wrong-highest-bit"] = b"\x01" + _CUT + b"\x82\xff" + b"\xff" * 8 + _KEY
    found["wrong-unmasked"] = b"\x01" + _CUT + frame(TEXT, b"x")
    return found


def _connection() -> dict[str, bytes]:
    found = {}
    head = _CUT + b"\x00\x2a"
    for name, stream in _streams(_KEY).items():
        if name != "eight-byte-length":
            found[f"server-{name}"] = b"\x00" + head + stream
    for name in ("text", "fragments-closed", "ping-pong", "close", "not-utf8"):
        found[f"client-{name}"] = b"\x01" + head + _streams(None)[name]
        found[f"server-program-{name}"] = b"\x08" + head + _streams(_REAL_KEY)[name] * 3
    hello = _deflated(b"Hello, hello, hello")
    for flags, name in ((2, "forget"), (6, "remember")):
        one = frame(TEXT, hello, rsv=4, key=_KEY)
        begin = frame(TEXT, hello[:4], fin=False, rsv=4, key=_KEY)
        cut_off = frame(BINARY, hello[:4], rsv=4, key=_KEY)
        found[f"deflate-{name}"] = bytes([flags]) + head + one + one
        rest = frame(CONTINUATION, hello[4:], key=_KEY)
        found[f"deflate-{name}-fragments"] = bytes([flags]) + head + begin + rest
        found[f"deflate-{name}-cut-off"] = bytes([flags]) + head + cut_off
        bomb = frame(BINARY, _deflated(bytes(3000)), rsv=4, key=_KEY)
        found[f"deflate-{name}-bomb"] = bytes([flags]) + head + bomb
    return found


def _handshake() -> dict[str, bytes]:
    found = {}
    for name, (flags, start, fields) in (_requests() | _responses()).items():
        text = "\r\n".join([start, *(f"{key}: {value}" for key, value in fields)]) + "\r\n\r\n"
        found[name] = bytes([flags]) + _CUT + text.encode("latin-1")
    plain = found["request-plain"]
    found["request-frames-behind"] = plain + frame(TEXT, b"early", key=_REAL_KEY)
    found["request-cut-off"] = plain[:-3]
    found["request-line-folded"] = plain[:-2] + b" folded: yes\r\n\r\n"
    found["request-bare-newlines"] = plain.replace(b"\r\n", b"\n")
    # Exactly as long as a head may be, with the border of a piece inside its last line breaks.
    longest = b"GET / HTTP/1.1\r\nA: " + b"a" * 8000 + b"\r\nB: " + b"b" * 8000 + b"\r\nC: "
    longest += b"c" * (16 * 1024 - len(longest))
    found["request-longest"] = b"\x00" + _BYTE_BY_BYTE + longest + b"\r\n\r\n"
    return found


_Head = tuple[int, str, list[tuple[str, str]]]


def _requests() -> dict[str, _Head]:
    start = "GET /chat HTTP/1.1"
    plain = [
        ("Host", "example.org:8080"),
        ("Upgrade", "websocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]
    protocols = ("Sec-WebSocket-Protocol", "superchat, chat")
    extensions = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits, x-foo")
    origin = ("Origin", "http://example.org")
    quoted = ("Sec-WebSocket-Extensions", 'permessage-deflate; server_max_window_bits="10"')
    return {
        "request-plain": (0, start, plain),
        "request-protocols": (2, start, [*plain, protocols]),
        "request-other-protocols": (2, start, [*plain, ("Sec-WebSocket-Protocol", "soap")]),
        "request-deflate": (4, start, [*plain, extensions]),
        "request-deflate-quoted": (12, start, [*plain, quoted, ("sec-websocket-extensions", "a")]),
        "request-everything": (22, start, [*plain, protocols, extensions, origin]),
        "request-origin": (0, start, [*plain, ("Origin", "null")]),
        "request-post": (0, "POST /chat HTTP/1.1", plain),
        "request-body": (0, start, [*plain, ("Content-Length", "5")]),
        "request-version-8": (0, start, [*plain[:-1], ("Sec-WebSocket-Version", "8")]),
        "request-two-keys": (0, start, [*plain, plain[3]]),
        "request-no-upgrade": (0, start, plain[:1]),
        "request-many-fields": (0, start, [("A", "b")] * 129),
    }


def _responses() -> dict[str, _Head]:
    start = "HTTP/1.1 101 Switching Protocols"
    plain = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ]
    answer = "permessage-deflate; server_no_context_takeover; server_max_window_bits=9"
    deflate = ("Sec-WebSocket-Extensions", answer)
    return {
        "response-plain": (1, start, plain),
        "response-protocol": (3, start, [*plain, ("Sec-WebSocket-Protocol", "chat")]),
        "response-not-offered": (1, start, [*plain, ("Sec-WebSocket-Protocol", "chat")]),
        "response-deflate": (5, start, [*plain, deflate]),
        "response-deflate-options": (13, start, [*plain, deflate]),
        "response-two-extensions": (5, start, [*plain, deflate, deflate]),
        "response-wrong-key": (1, start, [*plain[:-1], ("Sec-WebSocket-Accept", "AAAA")]),
        "response-not-ascii": (1, start, [*plain[:-1], ("Sec-WebSocket-Accept", "\xff\x80")]),
        "response-refusal": (1, "HTTP/1.1 403 Forbidden", [("Content-Length", "0")]),
        "response-http-10": (1, "HTTP/1.0 101 Switching Protocols", plain),
        "response-strange-status": (1, "HTTP/1.1 1O1 \xb2", plain),
    }


def _headers() -> dict[str, bytes]:
    values = {
        "connection": (0, b"keep-alive, Upgrade"),
        "empty-elements": (0, b", ,,\t, websocket,"),
        "not-a-token": (0, b"websocket, a b"),
        "extensions": (1, b"permessage-deflate; client_max_window_bits; a=1, x-foo"),
        "quoted": (1, b'a; b="c"; d="\\e"'),
        "quote-open": (1, b'a; b="'),
        "only-separators": (1, b";=,"),
        "repeated": (2, b"one, two,three"),
        "token": (3, b"websocket"),
        "host": (3, b"[::1]:8080"),
        "head": (4, b"GET / HTTP/1.1\r\nHost: a\r\nA:\tb \r\n\r\n"),
    }
    found = {name: bytes([kind, 0]) + value for name, (kind, value) in values.items()}
    many = {
        "many-commas": (0, b","),
        "many-tokens": (0, b"a,"),
        "many-blanks": (0, b" \t"),
        "many-extensions": (1, b"a;b=c,"),
        "many-parameters": (1, b"a;"),
        "many-quoted": (1, b'a;b="\\c",'),
        "many-backslashes": (1, b"\\\\"),
        "many-fields": (2, b"a, "),
        "many-letters": (3, b"a"),
        "many-lines": (4, b"A: b\r\n"),
        "many-line-breaks": (4, b"\r"),
    }
    return found | {name: bytes([kind, 4]) + unit for name, (kind, unit) in many.items()}


def _deflate() -> dict[str, bytes]:
    offers = {
        "offer-plain": b"",
        "offer-browser": b"client_max_window_bits",
        "offer-all": b"server_no_context_takeover; client_no_context_takeover; "
        b"server_max_window_bits=10; client_max_window_bits=12",
        "offer-smallest": b"server_max_window_bits=8; client_max_window_bits=8",
        "offer-wrong-window": b"server_max_window_bits=16",
        "offer-leading-zero": b"client_max_window_bits=09",
        "offer-quoted": b'server_max_window_bits="9"',
        "offer-twice": b"server_no_context_takeover; server_no_context_takeover",
        "offer-several": b"server_max_window_bits=7, permessage-deflate; server_max_window_bits=9",
        "offer-value": b"server_no_context_takeover=1",
    }
    found = {name: b"\x00" + _CUT + b"\x1b\x24" + value for name, value in offers.items()}
    stored = _deflated(b"stored, not compressed", 0)
    messages = {
        "message-hello": _deflated(b"Hello"),
        "message-long": _deflated(b"line of text, " * 200),
        "message-stored": stored,
        "message-empty": b"\x00",
        "message-last-block": b"\xf3\x48\xcd\xc9\xc9\x07\x00",
        "message-two-streams": b"\xf3\x48\xcd\xc9\xc9\x07\x00" * 2,
        "message-then-open": b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
        "message-cut-off": _deflated(b"Hello, this is longer")[:-4],
        "message-bomb": _deflated(bytes(20_000)),
        "message-garbage": b"\xff\xfe\xfd",
        "message-reaches-too-far": b"\xf2\x00\x11\x00\x00",
        "message-tail-inside": b"\x00\x05\x00\xfa\xff1",
        "message-no-content": b"\x03\x00" * 20,
    }
    for name, data in messages.items():
        # Forgetting with a large limit, and remembering with one of 300 bytes.
        found[name] = b"\x01" + _CUT + b"\x1b\x3f\x05" + data
        found[f"{name}-limited"] = b"\x01" + _CUT + b"\x18\x24\x03" + data
    return found


def _deflated(data: bytes, level: int = 6) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


if __name__ == "__main__":
    write()
