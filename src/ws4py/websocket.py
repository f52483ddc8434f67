"""What users subclass: :class:`WebSocket`, with its callbacks.

There is one door for what is received, :meth:`WebSocket.process`, and one for
what is sent, :meth:`WebSocket._write`; every server and client shell uses these
two and no other way. Which thread reads, and how bytes get into the kernel, is
the business of the shell.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import GeneratorType
from typing import Any

from ws4py._fragments import send_fragments
from ws4py._heartbeat import Heartbeat
from ws4py._log import logger
from ws4py._outlet import Outlet
from ws4py._transport import Blocking, is_tls, linger, transport_for
from ws4py._wire.codec import FAILED
from ws4py._wire.codes import BINARY, CLOSE, INTERNAL_ERROR, PING, PONG, TEXT
from ws4py.exc import ConnectionClosed, TextFrameEncodingException
from ws4py.messaging import BinaryMessage, Message, PongControlMessage, TextMessage
from ws4py.protocol.connection import Connection, Event
from ws4py.protocol.limits import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_MESSAGE_SIZE, Limits
from ws4py.protocol.state import OPEN
from ws4py.streaming import Stream

__all__ = ["DEFAULT_READING_SIZE", "EchoWebSocket", "Heartbeat", "WebSocket"]

#: What :attr:`WebSocket.reading_buffer_size` starts with.
DEFAULT_READING_SIZE = 2

_READ_SIZE = 64 * 1024


class WebSocket:
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
        in silence is gone. ``None`` or 0 for no heartbeat.
    """

    #: Bytes in a received message, ``None`` for no limit (1009 to who exceeds it).
    max_message_size: int | None = DEFAULT_MAX_MESSAGE_SIZE
    #: Bytes in a received frame, ``None`` for no limit of its own (1009).
    max_frame_size: int | None = None
    #: Frames in a received message, empty ones included (1008).
    max_fragments: int | None = DEFAULT_MAX_FRAGMENTS
    #: Seconds from our close frame to the end of the TCP connection.
    close_timeout: float = 10.0

    # Programs exist whose constructors never reach ours, so every attribute has a
    # default here and nothing internal is only made in ``__init__``.
    stream: Stream | None = None
    sock: Any = None
    environ: dict[str, Any] | None = None
    protocols: list[str] | None = None
    extensions: list[str] | None = None
    heartbeat_freq: float | None = None
    client_terminated = False
    server_terminated = False
    reading_buffer_size = DEFAULT_READING_SIZE
    sock_timeout: float | None = None
    #: Bytes received and not processed yet: what came behind the handshake.
    buf = b""
    #: How the connection ended; set before :meth:`closed` is called.
    close_code: int | None = None
    close_reason: str | None = None
    _is_secure = False
    _local_address: Any = None
    _peer_address: Any = None
    _outlet: Outlet | None = None

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
    def terminated(self) -> bool:
        """Whether both ends have said that they are done."""
        return self.client_terminated is True and self.server_terminated is True

    @property
    def connection(self) -> Any:
        """The underlying socket, ``None`` once closed."""
        return self.sock

    @property
    def local_address(self) -> Any:
        """Our address as ``(host, port)``, or a Unix socket's path.

        :raises OSError: it was never asked for while the socket was open.
        """
        if not self._local_address:
            self._local_address = _short(self.sock.getsockname())
        return self._local_address

    @property
    def peer_address(self) -> Any:
        """The peer's address as ``(host, port)``; ``''`` for a Unix socket.

        :raises OSError: it was never asked for while the peer was connected.
        """
        if not self._peer_address:
            self._peer_address = _short(self.sock.getpeername())
        return self._peer_address

    @property
    def _lock(self) -> threading.RLock:
        """Serialises what is sent. Made on first use; ``setdefault`` is atomic."""
        attributes = self.__dict__
        lock = attributes.get("_ws4py_lock")
        if lock is None:
            lock = attributes.setdefault("_ws4py_lock", threading.RLock())
        return lock  # type: ignore[no-any-return]  # from the instance's own dictionary

    def _open_connection(self) -> Connection:
        stream = self.stream
        if stream is None:
            raise ConnectionClosed("Cannot send on a terminated websocket")
        return stream.connection

    # -- Sending -----------------------------------------------------------------

    def send(self, payload: Any, binary: bool = False) -> None:
        """Send a message. Thread-safe.

        :param payload: ``str`` or bytes for a message in one frame; a
            :class:`~ws4py.messaging.Message` as it is; a generator of ``str`` or
            bytes for a message in as many fragments.
        :param binary: send a binary message, otherwise text, which has to be UTF-8.
        :raises ConnectionClosed: the connection is closing or closed.
        :raises TextFrameEncodingException: text that is not UTF-8.
        :raises ValueError: a payload of another type.
        """
        if isinstance(payload, Message):
            self._send_message(payload)
        elif isinstance(payload, (str, bytes, bytearray, memoryview)):
            self._send_data(BINARY if binary else TEXT, _encode(payload))
        elif type(payload) is GeneratorType:
            send_fragments(self, BINARY if binary else TEXT, map(_encode, payload))
        else:
            raise ValueError(f"Unsupported type '{type(payload)}' passed to send()")

    def ping(self, message: str | bytes) -> None:
        """Send a ping; :meth:`ponged` tells of the answer. Thread-safe.

        :param message: at most 125 bytes.
        :raises ConnectionClosed: the connection is closing or closed.
        :raises ValueError: the payload is too long.
        """
        with self._lock:
            self._write(self._open_connection().send_ping(_encode(message)))

    def close(self, code: int = 1000, reason: str | bytes = "") -> None:
        """Start the closing handshake; :meth:`closed` tells when it is over.

        Thread-safe; only the first call has an effect. Never raises for a
        connection that is gone already.

        :param code: see RFC 6455 section 7.4.
        :param reason: cut at 123 bytes.
        :raises ValueError: a code that may not be sent, such as 1006.
        """
        with self._lock:
            stream = self.stream
            if stream is None:
                return
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
        with self._lock:
            frame = self._open_connection().send_message(opcode, data)
            if frame:
                self._write(frame)

    def _send_fragment(self, opcode: int, data: bytes, first: bool, last: bool) -> bool:
        """Send a fragment; ``False`` when another message is being fragmented."""
        with self._lock:
            connection = self._open_connection()
            if first and connection.fragmenting:
                return False
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
            self._outlet.write(b)
        elif is_tls(self.sock):
            Blocking(self._transport(), self.sock_timeout).sendall(b)
        else:
            self.sock.sendall(b)

    def _write_last(self, frame: bytes) -> None:
        """Write a close frame; a connection that is gone already is no error."""
        if frame:
            try:
                self._write(frame)
            except (OSError, ConnectionClosed) as error:
                logger.debug("Close frame not sent: %s", error)
        if self._outlet is not None:
            self._outlet.expect_end()

    def _fail(self, code: int, reason: str) -> None:
        """Give the connection up for a reason of our own."""
        with self._lock:
            if self.stream is not None:
                frame = self.stream.connection.fail(code, reason)
                self._write_last(frame)
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
        connection = stream.connection
        events = connection.receive(bytes(data))
        if len(events) > 1 and self._outlet is not None:
            self._outlet.hold()
        for event in events:
            opcode = event[0]
            if opcode <= BINARY:
                proceed = self._deliver(connection, event)
            elif opcode == PONG:
                proceed = self._call(self.ponged, PongControlMessage(event[1]))
            else:
                proceed = self._answer(connection, event)
            if not proceed or self.stream is not stream:
                return False
        return not connection.reading_done

    def _deliver(self, connection: Connection, event: Event) -> bool:
        if connection.state is not OPEN:
            # We have said goodbye: what was under way is dropped, as browsers do.
            return True
        opcode, data = event
        message = TextMessage(data) if opcode == TEXT else BinaryMessage(data)
        return self._call(self.received_message, message)

    def _answer(self, connection: Connection, event: Event) -> bool:
        """Answer a ping, a close frame or a violation."""
        opcode = event[0]
        with self._lock:
            reply = connection.respond(event)
            if opcode == PING:
                if reply:
                    self._write(reply)
                return True
            self._write_last(reply)
            self.client_terminated = opcode == CLOSE
            self.server_terminated = True
        if opcode == FAILED:
            logger.info("Closing a connection: %s", connection.violation)
        return False

    def _call(self, callback: Callable[..., object], *arguments: object) -> bool:
        """Call into the program: the only place where its errors arrive.

        SystemExit is caught as well: on a manager's thread it would silently end
        the service for everybody else.
        """
        try:
            callback(*arguments)
        except (Exception, SystemExit):
            logger.exception("%s raised; closing its connection", _name(callback))
            self._fail(INTERNAL_ERROR, "the handler raised an exception")
            return False
        return True

    # -- The end -----------------------------------------------------------------

    def terminate(self) -> None:
        """Complete the connection: call :meth:`closed` and close the socket.

        Has an effect once. Under a manager, and from another thread than its
        own, it hands the end over to that thread.
        """
        with self._lock:
            stream = self.stream
            if stream is None or stream.ended:
                return
            if self._outlet is not None and not self._outlet.retire():
                return
            stream.ended = True
            stream.connection.lose()
        close = stream.connection.close_received
        self.close_code = close.code if close else stream.connection.close_code
        self.close_reason = close.reason if close else "Going away"
        try:
            self.closed(self.close_code, self.close_reason)
        except (Exception, SystemExit):
            logger.exception("%s raised", _name(self.closed))
        finally:
            self.client_terminated = self.server_terminated = True
            self.close_connection()
            self.stream = None
            self.environ = None

    def close_connection(self) -> None:
        """Close the socket at once, without any closing handshake."""
        with self._lock:
            sock, self.sock = self.sock, None
            outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.abandon()
        elif is_tls(sock):
            transport = transport_for(sock)
            transport.half_close()
            transport.close()
        elif sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                sock.close()

    # -- Reading in a thread of one's own ----------------------------------------

    def run(self) -> None:
        """Serve this connection on the calling thread until it ends."""
        self.sock.settimeout(self.sock_timeout)
        with Heartbeat(self, frequency=self.heartbeat_freq):
            try:
                proceed = self._call(self.opened)
                while proceed and not self.terminated:
                    proceed = self.once()
                self._linger()
            finally:
                self.terminate()

    def _linger(self) -> None:
        """Let the peer read our close frame: closing with unread input would make
        the kernel reset the connection and destroy what is still on its way.
        """
        if self.server_terminated and isinstance(self.sock, socket.socket):
            linger(self._transport(), self.close_timeout)

    def once(self) -> bool:
        """Read once and process what came; ``False`` when there is no more to read."""
        if self.terminated or self.sock is None:
            return False
        data, self.buf = self.buf, b""
        try:
            if not data and self._is_secure:
                data = self._get_from_pending()
            if not data:
                data = self._receive()
        except OSError as error:
            self.unhandled_error(error)
            return False
        return self.process(data)

    def _receive(self) -> bytes:
        size = max(self.reading_buffer_size, _READ_SIZE)
        if is_tls(self.sock):
            return Blocking(self._transport(), self.sock_timeout).recv(size)
        return self.sock.recv(size)  # type: ignore[no-any-return]  # sock is Any on purpose

    def _get_from_pending(self) -> bytes:
        """What the TLS layer has decrypted already and no poller announces."""
        size = self.sock.pending()
        return self.sock.recv(size) if size else b""

    def _transport(self) -> Any:
        transport = self.__dict__.get("_ws4py_transport")
        if transport is None or transport.sock is not self.sock:
            transport = self.__dict__["_ws4py_transport"] = transport_for(self.sock)
        return transport


class EchoWebSocket(WebSocket):
    """Sends every message back."""

    def received_message(self, message: Message) -> None:
        """Send the message back as it came."""
        self.send(message.data, message.is_binary)


def _encode(payload: Any) -> bytes:
    if isinstance(payload, str):
        try:
            return payload.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TextFrameEncodingException(f"text cannot be UTF-8: {error}") from None
    return bytes(payload)


def _short(address: Any) -> Any:
    """An IPv6 address without flow and scope; anything else as it is."""
    return tuple(address[:2]) if isinstance(address, tuple) else address


def _name(callback: Callable[..., object]) -> str:
    return str(getattr(callback, "__qualname__", callback))
