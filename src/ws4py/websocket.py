"""What users subclass: :class:`WebSocket`, with its callbacks.

There is one door for what is received, :meth:`WebSocket.process`, and one for
what is sent, :meth:`WebSocket._write`; every server and client shell uses these
two and no other way. Which thread reads, and how bytes get into the kernel, is
the business of the shell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from types import GeneratorType
from typing import Any

from ws4py import _sending
from ws4py._blocking import Blocking, blocking_for
from ws4py._connected import Connected
from ws4py._fragments import encode, send_fragments
from ws4py._heartbeat import Heartbeat
from ws4py._kill import passes
from ws4py._log import logger
from ws4py._outlet import held_to_end, make_room, narrowed
from ws4py._own_thread import serve
from ws4py._transport import interrupt, is_tls
from ws4py._wire.codec import FAILED
from ws4py._wire.codes import BINARY, CLOSE, INTERNAL_ERROR, PING, PONG, TEXT
from ws4py.exc import ConnectionClosed
from ws4py.messaging import Message, PongControlMessage, received
from ws4py.protocol.connection import Connection, Event
from ws4py.protocol.limits import Limits
from ws4py.protocol.prepared import PreparedMessage
from ws4py.protocol.state import OPEN
from ws4py.streaming import Stream

__all__ = ["DEFAULT_READING_SIZE", "EchoWebSocket", "Heartbeat", "WebSocket"]

#: What :attr:`WebSocket.reading_buffer_size` starts with.
DEFAULT_READING_SIZE = 2

_READ_SIZE = 64 * 1024

_making = threading.RLock()


class WebSocket(Connected):
    """One connection, and the callbacks that a program overrides.

    Callbacks of one connection are ordered and never run two at once. Under a
    manager they run on the manager's thread (:meth:`opened` on the thread that
    hands the connection over), so a callback that blocks holds up the manager's
    other connections. A callback that raises is logged with its traceback and
    ends this connection with 1011, no other.

    :meth:`send`, :meth:`ping` and :meth:`close` may be called from any thread.

    :param sock: the connected socket, plain or TLS.
    :param protocols: the negotiated sub-protocol in a list, or an empty list.
    :param extensions: the negotiated extensions.
    :param environ: the request's WSGI environ, readable until :meth:`closed` returns.
    :param heartbeat_freq: seconds between pings; a peer that lets two periods pass
        in silence is gone. ``None`` for :attr:`ping_interval`, 0 for no pings.
    """

    # Defaults, as those of the base class: programs exist whose constructors never reach ours.
    stream: Stream | None = None
    reading_buffer_size = DEFAULT_READING_SIZE
    _is_secure = False
    _own_lock: threading.RLock | None = None
    _own_io: Blocking | None = None
    #: A loop's short way for whole messages, if it has one; see :mod:`ws4py._sending`.
    _take: Any = None
    #: The thread whose message in fragments was the last to begin.
    _fragmenter: int | None = None

    def __init__(
        self,
        sock: Any,
        protocols: list[str] | None = None,
        extensions: list[str] | None = None,
        environ: dict[str, Any] | None = None,
        heartbeat_freq: float | None = None,
    ) -> None:
        self.sock = sock
        self.protocols = protocols
        self.extensions = extensions
        self.environ = environ
        self.heartbeat_freq = heartbeat_freq
        self.stream = Stream(
            limits=Limits(self.max_message_size, self.max_frame_size, self.max_fragments)
        )
        self._is_secure = is_tls(sock) or hasattr(sock, "_ssl") or hasattr(sock, "_sslobj")

    # -- For subclasses ----------------------------------------------------------

    def opened(self) -> None:
        """The connection is established; :meth:`send` works from here on."""

    def received_message(self, message: Message) -> None:
        """A whole message has arrived.

        :param message: a :class:`~ws4py.messaging.TextMessage` or
            :class:`~ws4py.messaging.BinaryMessage`, which may be kept.
        """

    def ponged(self, pong: PongControlMessage) -> None:
        """A pong has arrived."""

    def closed(self, code: int, reason: str | None = None) -> None:
        """The connection has ended, whoever ended it. Called exactly once.

        :param code: the close code that the peer sent, or 1006 when it sent none
            (RFC 6455 section 7.1.5).
        :param reason: the peer's reason, always text.
        """

    def unhandled_error(self, error: Exception) -> None:
        """Reading from the socket failed; the connection is about to end.

        A peer that vanishes is an everyday event and is logged without traceback.
        """
        if isinstance(error, (ConnectionError, TimeoutError)):
            logger.info("Connection lost: %s", error)
        else:
            logger.error("Failed to receive data", exc_info=error)

    # -- State -------------------------------------------------------------------

    @property
    def _lock(self) -> threading.RLock:
        """Serialises what is sent. Made on first use."""
        lock = self._own_lock
        if lock is None:
            with _making:
                lock = self._own_lock = self._own_lock or threading.RLock()
        return lock

    def _open_connection(self) -> Connection:
        stream = self.stream
        if stream is None:
            raise ConnectionClosed("Cannot send on a terminated websocket")
        return stream.connection

    # -- Sending -----------------------------------------------------------------

    send = _sending.send

    def _send(self, payload: Any, binary: bool) -> None:
        """Send whatever a loop has no short way for."""
        if isinstance(payload, Message):
            self._send_message(payload)
        elif isinstance(payload, PreparedMessage):
            self._send_prepared(payload, at_once=True)
        elif type(payload) is GeneratorType:
            send_fragments(self, BINARY if binary else TEXT, payload)
        else:
            self._send_data(BINARY if binary else TEXT, encode(payload))

    def ping(self, message: str | bytes) -> None:
        """Send a ping; :meth:`ponged` tells of the answer. Thread-safe.

        :param message: at most 125 bytes.
        :raises ConnectionClosed: the connection is closing or closed.
        :raises ValueError: the payload is too long.
        """
        with self._lock:
            self._write(self._open_connection().send_ping(encode(message)))

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """Start the closing handshake; :meth:`closed` tells when it is over.

        Thread-safe. Only the first call has an effect, none when all is over.

        :param code: see RFC 6455 section 7.4.
        :param reason: cut at 123 bytes.
        :raises ValueError: a code that may not be sent, such as 1006.
        """
        stream = self.stream
        if stream is not None:
            with self._lock_to_end(self._limit_end):
                frame = stream.connection.send_close(code, reason)
                self.server_terminated = True
                self._write_last(frame)

    def _send_message(self, message: Message) -> None:
        if message.opcode in (TEXT, BINARY):
            self._send_data(message.opcode, message.data)
        elif message.opcode == PING:
            self.ping(message.data)
        elif message.opcode == PONG:
            with self._lock:
                self._write(self._open_connection().send_pong(message.data))
        else:
            self.close(getattr(message, "code", 1000), getattr(message, "reason", b""))

    def _send_data(self, opcode: int, data: bytes) -> None:
        make_room(self._outlet, len(data))
        with self._lock:
            frame = self._open_connection().send_message(opcode, data)
            if frame:
                self._write(frame)

    def _send_prepared(self, message: PreparedMessage, *, at_once: bool) -> None:
        """Send a message that many get, now or together with the others."""
        make_room(self._outlet, len(message.data))
        with self._lock:
            frame = self._open_connection().send_prepared(message)
            if frame:
                outlet = None if at_once or self._has_own_door_out() else self._outlet
                (self._write if outlet is None else outlet.post)(frame)

    def _send_fragment(self, opcode: int, data: bytes, first: bool, last: bool) -> bool:
        """Send a fragment; ``False`` when another message is being fragmented."""
        make_room(self._outlet, len(data), fragment=True)
        with self._lock:
            connection = self._open_connection()
            if first and connection.fragmenting:
                return False
            if first:
                self._fragmenter = threading.get_ident()
            with narrowed(self._outlet):
                self._write(connection.send_fragment(opcode, data, first, last))
            return True

    def _write(self, b: bytes) -> None:
        """The one door out: programs override it to see or redirect every byte.

        Called under the connection's lock with one or more whole frames.

        :raises ConnectionClosed: the connection is closed.
        """
        if self.terminated or self.sock is None:
            raise ConnectionClosed("Cannot send on a terminated websocket")
        if self._outlet is not None:
            return self._outlet.write(b)
        return self._blocking(self.sock).sendall(b, self.sock_timeout)

    def _has_own_door_out(self) -> bool:
        return getattr(self._write, "__func__", None) is not _WRITE

    def _reply(self, frame: bytes) -> None:
        """Write an answer of ours; a connection that is gone already is no error."""
        if frame:
            try:
                self._write(frame)
            except (OSError, ConnectionClosed) as error:
                logger.debug("Not sent, the connection is gone: %s", error)

    def _write_last(self, frame: bytes) -> None:
        """Write a close frame; the end is to follow."""
        self._limit_end()
        self._reply(frame)
        if self._outlet is not None:
            self._outlet.expect_end()

    def _fail(self, code: int, reason: str) -> None:
        """Give the connection up for a reason of our own."""
        stream = self.stream
        if stream is not None:
            with self._lock_to_end(self._limit_end):
                self._write_last(stream.connection.fail(code, reason))
                self.server_terminated = True

    # -- Receiving ---------------------------------------------------------------

    def process(self, data: bytes) -> bool:
        """The one door in: take received bytes and call back for what they complete.

        Only one thread at a time may call it for one connection.

        :param data: bytes in order, cut anywhere; ``b""`` for the end.
        :returns: whether to go on reading.
        """
        stream = self.stream
        if stream is None or not data:
            return False
        self.reading_buffer_size = _READ_SIZE
        connection, rest = stream.connection, bytes(data)
        while rest:
            if not self._process_some(stream, rest):
                return False
            outlet, rest = self._outlet, connection.take_unread()
            if rest and outlet is not None and not outlet.may_go_on():
                outlet.put_back(rest)
                break
        # Of what is deferred the end comes when its turn has come.
        return (outlet is not None and outlet.defers) or not connection.reading_done

    def _process_some(self, stream: Stream, data: bytes) -> bool:
        """Call back for what one call of the connection finds; ``False`` at the end."""
        sock, outlet, connection = self.sock, self._outlet, stream.connection
        events = connection.receive(data)
        deferring = outlet if outlet is not None and outlet.defers else None
        if len(events) > 1 and outlet is not None:
            outlet.hold()
        for index, event in enumerate(events):
            if event[0] == PONG and outlet is not None and outlet.measure(event[1]):
                # Before callbacks that wait: it tells of the peer, not of the program.
                continue
            if event[0] == PING:
                # Section 5.5.3: "MAY elect to send a Pong frame for only the most recently
                # processed Ping frame", or a flood of pings would become one of pongs.
                if outlet is not None and outlet.crowded and _has_later_ping(events, index):
                    continue
            elif deferring is not None:
                deferring.defer(partial(self._take_event, connection, event), len(event[1]))
                continue
            if not self._take_event(connection, event):
                return False
            if self.stream is not stream or self.sock is not sock:
                return False
        return True

    def _take_event(self, connection: Connection, event: Event) -> bool:
        """Act on something received; ``False`` when nothing may follow it."""
        opcode = event[0]
        if opcode <= BINARY:
            return self._deliver(connection, event)
        if opcode == PONG:
            return self._call(self.ponged, PongControlMessage(event[1]))
        return self._answer(connection, event)

    def _deliver(self, connection: Connection, event: Event) -> bool:
        if connection.state is not OPEN:
            # We have said goodbye: what was under way is dropped, as browsers do.
            return True
        opcode, data = event
        return self._call(self.received_message, received(opcode, data))

    def _answer(self, connection: Connection, event: Event) -> bool:
        """Answer a ping, a close frame or a violation."""
        opcode = event[0]
        if opcode == PING:
            with self._lock:
                self._reply(connection.respond(event))
            return True
        with self._lock_to_end(self._limit_end):
            self._write_last(connection.respond(event))
            self.client_terminated = opcode == CLOSE
            self.server_terminated = True
        if opcode == FAILED:
            logger.info("Closing a connection: %s", connection.violation)
        return False

    def _call(self, callback: Callable[..., object], *arguments: object) -> bool:
        """Call into the program: the only place where its errors arrive."""
        try:
            callback(*arguments)
        except BaseException as error:
            if self._passes(error):
                raise
            return self._callback_raised(callback, error)
        return True

    def _passes(self, error: BaseException) -> bool:
        """Whether an error of a callback is for who runs it."""
        return passes(error, self._outlet is not None)

    def _callback_raised(self, callback: Callable[..., object], error: BaseException) -> bool:
        if isinstance(error, ConnectionClosed) and self._is_gone():
            logger.debug("%s: its connection has ended meanwhile", _name(callback))
            return True
        if isinstance(error, ConnectionClosed):
            # Of another one, whose end must not become the end of this one.
            logger.error("%s raised", _name(callback), exc_info=error)
            return True
        logger.error("%s raised; closing its connection", _name(callback), exc_info=error)
        self._fail(INTERNAL_ERROR, "the handler raised an exception")
        return False

    def _is_gone(self) -> bool:
        stream, outlet = self.stream, self._outlet
        broken = self.sock is None or (outlet is not None and (outlet.broken or outlet.retired))
        return broken or stream is None or stream.connection.state is not OPEN

    # -- The end -----------------------------------------------------------------

    def terminate(self) -> None:
        """Complete the connection: call :meth:`closed` and close the socket, once.

        The thread that reads it does so; from another one it is told to.
        """
        stream = self.stream
        # Asked without the lock: leaving a manager takes the manager's own, which a
        # program may hold while it sends.
        if stream is None or not self._is_mine_to_end(stream):
            return
        with self._lock_to_end(lambda: interrupt(self.sock)):
            if stream.ended:
                return
            stream.ended = True
            stream.connection.lose()
        close = stream.connection.close_received
        self.close_code = close.code if close else stream.connection.close_code
        self.close_reason = close.reason if close else "Going away"
        try:
            self.closed(self.close_code, self.close_reason)
        except BaseException as error:
            if self._passes(error):
                raise
            logger.exception("%s raised", _name(self.closed))
        finally:
            self.client_terminated = self.server_terminated = True
            self.close_connection()
            self.stream = None
            self.environ = None

    def close_connection(self) -> None:
        """Close the socket at once, without any closing handshake."""
        with self._lock_to_end(lambda: interrupt(self.sock)):
            sock, self.sock = self.sock, None
            outlet, self._outlet = self._outlet, None
            if outlet is None and sock is not None:  # who completes the end finds it closed
                self._blocking(sock).close()
        if outlet is not None:
            outlet.abandon()

    def _is_mine_to_end(self, stream: Stream) -> bool:
        """Whether the calling thread is to complete it; if not, that one is told which is."""
        outlet, sock = self._outlet, self.sock
        if stream.ended:
            return False
        if outlet is not None:
            return outlet.retire()
        if sock is None or not self._blocking(sock).is_read_elsewhere():
            return True
        interrupt(sock)
        return False

    def _lock_to_end(self, unblock: Callable[[], None]) -> AbstractContextManager[None]:
        return held_to_end(self._lock, self._outlet, unblock)

    def _limit_end(self) -> None:
        """In a thread of one's own: nobody waits for the peer beyond ``close_timeout``."""
        sock = self.sock
        if self._outlet is None and sock is not None:
            self._blocking(sock).end_within(self.close_timeout)

    # -- Reading in a thread of one's own ----------------------------------------

    def run(self) -> None:
        """Serve this connection on the calling thread until it ends."""
        serve(self, Heartbeat(self, frequency=self.heartbeat_freq))

    def once(self) -> bool:
        """Read once and process what came; ``False`` when there is no more to read."""
        sock = self.sock
        if self.terminated or sock is None:
            return False
        data: bytes | None
        data, self.buf = self.buf, b""
        try:
            if not data and self._is_secure:
                data = self._get_from_pending()
            if not data:
                data = self._receive(sock)
        except OSError as error:
            # That another thread has closed the socket is no news.
            if self.sock is sock:
                self.unhandled_error(error)
            return False
        return data is None or self.process(data)

    def _receive(self, sock: Any) -> bytes | None:
        size, blocking = max(self.reading_buffer_size, _READ_SIZE), self._blocking(sock)
        if self._outlet is not None:
            return blocking.recv_now(size)
        return blocking.recv(size, self.sock_timeout)

    def _get_from_pending(self) -> bytes:
        return b"" if self.sock is None else self._blocking(self.sock).recv_pending()

    def _blocking(self, sock: Any) -> Blocking:
        return blocking_for(self, sock)


#: As it was before a program could replace it.
_WRITE = WebSocket._write  # noqa: SLF001


class EchoWebSocket(WebSocket):
    """Sends every message back."""

    def received_message(self, message: Message) -> None:
        """Send the message back as it came."""
        self.send(message.data, message.is_binary)


def _has_later_ping(events: list[Event], index: int) -> bool:
    return any(events[later][0] == PING for later in range(index + 1, len(events)))


def _name(callback: Callable[..., object]) -> str:
    return str(getattr(callback, "__qualname__", callback))
