"""Connected sockets: ours, for the engine, and theirs, for a peer."""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import trustme

__all__ = ["receive", "send", "tcp", "tls"]

_Pair = tuple[socket.socket, socket.socket]


def tcp() -> _Pair:
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        while True:
            # The kernel may refuse a few times.
            with contextlib.suppress(OSError):
                ours, _ = listener.accept()
                return ours, theirs


def tls() -> _Pair:
    """The same with TLS, the handshake done."""
    server, client = _contexts()
    ours, theirs = tcp()
    made: list[ssl.SSLSocket] = []
    thread = threading.Thread(
        target=lambda: made.append(client.wrap_socket(theirs, server_hostname="localhost"))
    )
    thread.start()
    wrapped = server.wrap_socket(ours, server_side=True)
    thread.join()
    return wrapped, made[0]


@functools.cache
def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder) / "both.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(both)
        server.load_cert_chain(both)
    authority.configure_trust(client)
    return server, client


def send(sock: socket.socket, data: bytes) -> int:
    """Send what fits.

    :raises BlockingIOError: nothing fits now.
    :raises ConnectionError: the connection is gone.
    """
    try:
        return sock.send(data)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except ssl.SSLError:
        raise BrokenPipeError from None


def receive(sock: socket.socket, size: int) -> bytes:
    """Receive what is there; nothing is the end.

    :raises BlockingIOError: nothing is there now.
    :raises ConnectionError: the connection is gone.
    """
    try:
        return sock.recv(size)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError from None
    except ssl.SSLError:
        return b""
