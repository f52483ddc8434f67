"""Taking a socket from an HTTP server after its 101, without the server noticing.

The pieces that several servers need. What a server keeps afterwards is a dead
socket, so whatever it still does to "its" connection happens to nobody.
"""

from __future__ import annotations

import io
import socket
from typing import Any

from ws4py._blocking import Blocking
from ws4py._sharing import shared
from ws4py._transport import transport_for
from ws4py.protocol.handshake import Acceptance
from ws4py.streaming import Stream

__all__ = ["dead_socket", "discard", "extend", "kept_environ", "send_all", "take_buffered"]

# How long a client may leave us waiting with a response.
_SEND_SECONDS = 10.0
_DISCARD_SIZE = 64 * 1024
_DISCARD_READS = 16


#: The body of every handshake.
_NO_BODY = io.BytesIO()


def kept_environ(environ: dict[str, Any]) -> dict[str, Any]:
    """Return the copy of an environ that a connection keeps for as long as it lives.

    Without the server's reader of the request: a handshake has no body, and the reader
    weighs as much as the rest of the connection.
    """
    # Names are the same in every request, and so are most values: the host, the browser's name.
    copied = {
        shared(name): shared(value) if type(value) is str else value
        for name, value in environ.items()
    }
    if "wsgi.input" in copied:
        copied["wsgi.input"] = _NO_BODY
    return copied


def dead_socket() -> socket.socket:
    """A valid socket that reads as ended and can be shut down and closed."""
    kept, dropped = socket.socketpair()
    dropped.close()
    return kept


def take_buffered(reader: Any, sock: Any = None) -> bytes:
    """Return what a server's buffered reader holds behind the request.

    The first frame often comes in the same segment as the handshake. Never waits.

    :param reader: cheroot's, which can tell whether it holds anything, or an
        ``io.BufferedReader``.
    :param sock: the reader's socket, for the latter; non-blocking afterwards.
    """
    # ``peek`` hands out a buffer that is not empty as it is; an empty one it would
    # fill from the socket.
    if hasattr(reader, "has_data"):
        return bytes(reader.peek(1)) if reader.has_data() else b""
    sock.settimeout(0)
    try:
        return bytes(reader.peek(1))
    except OSError:
        # Plain sockets say "nothing" by returning it, TLS by SSLWantReadError.
        return b""


def send_all(sock: Any, data: bytes) -> None:
    """Send a response on a taken socket.

    :raises OSError: the client is gone, or takes nothing for seconds.
    """
    blocking = Blocking(sock)
    if blocking.transport is None:
        sock.settimeout(_SEND_SECONDS)
    blocking.sendall(data, _SEND_SECONDS)


def extend(websocket: Any, accepted: Acceptance) -> list[tuple[str, str]]:
    """Give a new handler the extension that was agreed on; return the 101's header fields.

    A handler without a :class:`~ws4py.streaming.Stream` is not ours and reads frames
    in its own way, so to its client the extension is not promised.
    """
    if accepted.extension is None:
        return accepted.headers
    stream = getattr(websocket, "stream", None)
    if isinstance(stream, Stream):
        stream.extension = accepted.extension
        return accepted.headers
    return [field for field in accepted.headers if field[0] != "Sec-WebSocket-Extensions"]


def discard(sock: Any) -> None:
    """End a connection whose upgrade was refused: no byte of it means anything now.

    Never waits. What has arrived already is read away, because closing with
    unread input would reset the connection under the response.
    """
    transport = transport_for(sock)
    transport.half_close()
    try:
        for _ in range(_DISCARD_READS):
            if not transport.recv(_DISCARD_SIZE):
                break
    except OSError:
        # Reset by the peer, which is an end as well.
        pass
    transport.close()
