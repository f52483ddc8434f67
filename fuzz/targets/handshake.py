"""The opening handshake, from the bytes of a head on: request and response.

Input: a byte of flags (1: a response, 2: sub-protocols, 4: permessage-deflate, 8: with other
options, 16: any origin), two bytes that say where to cut, then the head.
"""

from __future__ import annotations

import base64
import hashlib

from fuzz.bytestream import ByteStream, cut
from ws4py.exc import HandshakeError
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.handshake import Acceptance, ClientHandshake, Request, accept_request
from ws4py.protocol.headers import is_token
from ws4py.protocol.http11 import HeadReader, build_head

__all__ = ["KEY", "WORDS", "check"]

#: The nonce of every response here, that of RFC 6455 section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

WORDS = (
    b"GET /chat HTTP/1.1\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"Host: example.org\r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: Upgrade\r\n",
    b"Connection: keep-alive, Upgrade\r\n",
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n",
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    b"Sec-WebSocket-Version: 13\r\n",
    b"Sec-WebSocket-Protocol: chat\r\n",
    b"Sec-WebSocket-Protocol: superchat, chat\r\n",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
    b"Origin: http://example.org\r\n",
    b"Content-Length: 0\r\n",
    b"\r\n\r\n",
)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PROTOCOLS = ["chat", "v1.chat.example"]
_STATUSES = {400, 403, 405, 426, 431}
_LINE = "HTTP/1.1 400 Bad Request"


def check(data: bytes) -> None:
    """Nothing but HandshakeError, with a status that fits and header fields that may be sent.

    A head is the same however it was cut. What a server accepts has a key of 16 bytes that is
    answered by section 4.2.2, at most one sub-protocol, which was offered, and at most one
    extension; its response is accepted by a client. A client takes only the answer to its own key,
    and only what it has offered.
    """
    stream = ByteStream(data)
    flags, seed = stream.byte(), stream.byte() << 8 | stream.byte()
    head = stream.rest()
    whole, parts = _read([head]), _read(cut(head, seed))
    assert _seen(whole) == _seen(parts), f"{_seen(whole)!r:.200} / {_seen(parts)!r:.200}"
    if isinstance(whole, HeadReader):
        (_judge_response if flags & 1 else _judge_request)(whole, flags)


def _read(pieces: list[bytes]) -> HeadReader | HandshakeError | None:
    """Read a head; ``None`` while it is not complete."""
    reader = HeadReader()
    for number, piece in enumerate(pieces):
        try:
            complete = reader.feed(piece)
        except HandshakeError as error:
            return error
        if complete:
            reader.rest += b"".join(pieces[number + 1 :])
            return reader
    return None


def _seen(outcome: HeadReader | HandshakeError | None) -> object:
    if isinstance(outcome, HandshakeError):
        # Which of two things that are wrong is seen first may depend on the cuts.
        return "refused"
    if outcome is None:
        return None
    names = vars(outcome.headers)["_fields"]
    return outcome.start_line, names, outcome.rest


def _extensions(flags: int) -> list[object]:
    if not flags & 4:
        return []
    if not flags & 8:
        return ["permessage-deflate"]
    return [PerMessageDeflate(server_no_context_takeover=False, server_max_window_bits=9)]


def _judge_request(head: HeadReader, flags: int) -> None:
    method = head.start_line.split(" ")[0]
    request = Request(method, (1, 1), head.headers, "http://example.org")
    try:
        accepted = accept_request(
            request,
            _PROTOCOLS if flags & 2 else None,
            _extensions(flags),
            origins="*" if flags & 16 else None,
        )
    except HandshakeError as error:
        assert error.status in _STATUSES, error.status
        build_head(_LINE, error.headers)
        return
    key = head.headers.all("Sec-WebSocket-Key")[0]
    assert len(base64.b64decode(key, validate=True)) == 16
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    answered = dict(accepted.headers)
    assert answered["Sec-WebSocket-Accept"] == base64.b64encode(digest).decode()
    offered = head.headers.joined("Sec-WebSocket-Protocol")
    assert len(accepted.protocols) <= 1
    assert all(name in offered and name in _PROTOCOLS for name in accepted.protocols)
    assert len(accepted.extensions) <= 1
    assert bool(accepted.extensions) is (accepted.extension is not None)
    _answer(accepted, key, flags)


def _answer(accepted: Acceptance, key: str, flags: int) -> None:
    """Give the response to a client with the same key, which has to accept it."""
    reader = HeadReader()
    assert reader.feed(build_head("HTTP/1.1 101 Switching Protocols", accepted.headers))
    # What the server demands of the client may be more than the client had asked for, never less
    # than a client that demands nothing can read.
    undemanding = PerMessageDeflate(
        server_no_context_takeover=False,
        client_no_context_takeover=False,
        server_max_window_bits=15,
        client_max_window_bits=15,
    )
    client = ClientHandshake(_PROTOCOLS, [undemanding] if flags & 4 else None)
    client.key = key
    got = client.check_response(reader.status(), reader.headers)
    assert got.protocols == accepted.protocols
    assert len(got.extensions) == len(accepted.extensions)


def _judge_response(head: HeadReader, flags: int) -> None:
    client = ClientHandshake(_PROTOCOLS if flags & 2 else None, _extensions(flags))
    client.key = KEY
    try:
        status = head.status()
    except HandshakeError as error:
        assert error.status == 400
        return
    assert 0 <= status <= 999
    try:
        accepted = client.check_response(status, head.headers)
    except HandshakeError as error:
        assert error.status == (400 if status == 101 else status)
        return
    assert status == 101
    assert head.headers.all("Sec-WebSocket-Accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
    assert all(name in _PROTOCOLS and is_token(name) for name in accepted.protocols)
    assert not accepted.protocols or flags & 2
    assert not accepted.extensions or flags & 4
    assert len(accepted.extensions) <= 1
