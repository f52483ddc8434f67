"""What each implementation makes of a stream, in the same words."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, NamedTuple

from websockets.extensions.permessage_deflate import PerMessageDeflate as TheirDeflate
from websockets.protocol import CLIENT as THEIR_CLIENT
from websockets.protocol import SERVER as THEIR_SERVER
from websockets.protocol import Protocol
from wsproto import events as wsproto_events
from wsproto.connection import Connection as WsprotoConnection
from wsproto.connection import ConnectionType
from wsproto.extensions import PerMessageDeflate as WsprotoDeflate

from fuzz.bytestream import cut
from fuzz.differential.streams import MAX_SIZE, Stream
from fuzz.wire import CLOSE, CONTINUATION, PING, PONG, TEXT
from ws4py._wire.codec import FAILED
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.limits import Limits

__all__ = ["OTHERS", "Outcome", "ours"]


class Outcome(NamedTuple):
    """What a program would have seen.

    :param events: messages, pings and pongs with their opcodes, in order.
    :param code: the code of the peer's close frame, or of the one that answers what it did wrong;
        ``None`` while the connection is open.
    :param reason: why, in the implementation's own words.
    """

    events: list[tuple[int, bytes]]
    code: int | None
    reason: str = ""

    def agrees(self, other: Outcome) -> bool:
        """Whether a program would have seen the same."""
        return self[:2] == other[:2]


def ours(stream: Stream, seed: int | None = None) -> Outcome:
    """ws4py's; with a seed the stream comes in pieces."""
    role = SERVER if stream.server else CLIENT
    connection = Connection(role, Limits(max_message_size=MAX_SIZE))
    if stream.deflate:
        # The largest window, as theirs have.
        options = PerMessageDeflate(server_max_window_bits=15, client_max_window_bits=15)
        accepted = options.accept(options.offer())
        assert accepted is not None
        connection.extension = accepted[1] if stream.server else options.confirm(accepted[0])
    found: list[tuple[int, bytes]] = []
    for piece in [stream.data] if seed is None else cut(stream.data, seed):
        if connection.reading_done:
            break
        for event in connection.receive(piece):
            connection.respond(event)
            if event[0] == CLOSE:
                return Outcome(found, connection.close_code)
            if event[0] == FAILED:
                violation = connection.violation
                assert violation is not None
                return Outcome(found, violation.code, violation.reason)
            found.append(event)
    return Outcome(found, None)


def _websockets(stream: Stream) -> Outcome:
    """Their frames, joined to messages as their connections do."""
    protocol = Protocol(THEIR_SERVER if stream.server else THEIR_CLIENT, max_size=MAX_SIZE)
    if stream.deflate:
        protocol.extensions = [TheirDeflate(True, True, 15, 15)]
    protocol.receive_data(stream.data)
    found: list[tuple[int, bytes]] = []
    opcode, parts, decoder = 0, [b""], None
    for frame in protocol.events_received():
        assert not isinstance(frame, (str, bytes))
        kind: Any = frame
        if kind.opcode == CLOSE:
            assert protocol.close_rcvd is not None
            return Outcome(found, protocol.close_rcvd.code)
        if kind.opcode in {PING, PONG}:
            found.append((int(kind.opcode), bytes(kind.data)))
            continue
        if kind.opcode != CONTINUATION:
            opcode, parts = int(kind.opcode), []
            decoder = codecs.getincrementaldecoder("utf-8")() if opcode == TEXT else None
        parts.append(bytes(kind.data))
        try:
            if decoder is not None:
                decoder.decode(parts[-1], kind.fin)
        except UnicodeDecodeError as error:
            return Outcome(found, 1007, str(error))
        if kind.fin:
            found.append((opcode, b"".join(parts)))
    if protocol.parser_exc is None:
        return Outcome(found, None)
    assert protocol.close_sent is not None
    return Outcome(found, protocol.close_sent.code, str(protocol.parser_exc))


def _wsproto(stream: Stream) -> Outcome:
    """Their events, parts of messages joined."""
    kind = ConnectionType.SERVER if stream.server else ConnectionType.CLIENT
    extensions: list[Any] = []
    if stream.deflate:
        deflate: Any = WsprotoDeflate(
            client_no_context_takeover=True, server_no_context_takeover=True
        )
        if stream.server:
            deflate.accept("permessage-deflate; client_max_window_bits")
        else:
            deflate.finalize(
                "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
            )
        extensions.append(deflate)
    connection = WsprotoConnection(kind, extensions)
    connection.receive_data(stream.data)
    found: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    for event in connection.events():
        if isinstance(event, wsproto_events.CloseConnection):
            return Outcome(found, int(event.code), event.reason or "")
        if isinstance(event, wsproto_events.Message):
            text = isinstance(event, wsproto_events.TextMessage)
            parts.append(event.data.encode() if text else bytes(event.data))
            if event.message_finished:
                found.append((1 if text else 2, b"".join(parts)))
                parts = []
        elif isinstance(event, (wsproto_events.Ping, wsproto_events.Pong)):
            opcode = PING if isinstance(event, wsproto_events.Ping) else PONG
            found.append((opcode, bytes(event.payload)))
    return Outcome(found, None)


OTHERS: dict[str, Callable[[Stream], Outcome]] = {"websockets": _websockets, "wsproto": _wsproto}
