"""A WebSocket server for one connection that answers wrongly on purpose."""

import base64
import contextlib
import hashlib
import socket
import struct
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DEADLINE = 20.0


def accept_for(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def frame(opcode, payload, fin=True, mask=b"") -> bytes:
    first = (0x80 if fin else 0) | opcode
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, length)
    elif length < 65536:
        head = struct.pack("!BBH", first, 126, length)
    else:
        head = struct.pack("!BBQ", first, 127, length)
    if mask:
        head = head[:1] + bytes([head[1] | 0x80]) + head[2:] + mask
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return head + payload


def read_frame(stream):
    """Opcode and unmasked payload of the next frame; None at the end of the stream."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", stream.read(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", stream.read(8))
    mask = stream.read(4) if head[1] & 0x80 else bytes(4)
    payload = stream.read(length)
    return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def read_head(stream) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        assert line, head
        head += line
    return head


def key_of(head) -> bytes:
    (line,) = [
        each for each in head.split(b"\r\n") if each.lower().startswith(b"sec-websocket-key")
    ]
    return line.partition(b":")[2].strip()


def response_to(head) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_for(key_of(head)) + b"\r\n\r\n"
    )


@contextlib.contextmanager
def scripted(answer, response=response_to):
    """Serve one connection with ``answer(number, opcode, payload) -> bytes``; yields the port.

    Pings are answered, so that the generator comes to its messages.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        thread = threading.Thread(target=_serve, args=(listener, answer, response))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(DEADLINE)
            assert not thread.is_alive()


def _serve(listener, answer, response) -> None:
    connection, _ = listener.accept()
    # The generator ends with a reset, and so does whatever was wrong.
    with connection, connection.makefile("rb") as stream, contextlib.suppress(ConnectionError):
        connection.settimeout(DEADLINE)
        connection.sendall(response(read_head(stream)))
        number = 0
        while (read := read_frame(stream)) is not None:
            opcode, payload = read
            if opcode == PING:
                connection.sendall(frame(PONG, payload))
            else:
                connection.sendall(answer(number, opcode, payload))
                number += 1
