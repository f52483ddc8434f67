"""Two connected sockets of each kind: one to give to ws4py, one for the test."""

import contextlib
import socket
import threading

from OpenSSL import SSL

from tests.support.tls import certificates
from tests.support.waiting import DEADLINE

#: What :func:`connected` can make.
PLAIN = ("tcp", "socketpair")
TLS = ("ssl", "pyopenssl")
KINDS = PLAIN + TLS


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """An accepted socket and the connecting one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname(), DEADLINE)
        sock, _ = listener.accept()
    return sock, peer


def ssl_pair():
    """A server's ``ssl.SSLSocket`` and the client's."""
    context = certificates().server_context()
    return _shake_hands(lambda sock: context.wrap_socket(sock, server_side=True))


def pyopenssl_pair():
    """A server's pyOpenSSL ``Connection`` and the client's ``ssl.SSLSocket``."""

    def accept(sock):
        connection = SSL.Connection(certificates().pyopenssl_context(), sock)
        connection.set_accept_state()
        connection.do_handshake()
        return connection

    return _shake_hands(accept)


def _shake_hands(accept):
    sock, peer = tcp_pair()
    made = []
    thread = threading.Thread(target=lambda: made.append(accept(sock)))
    thread.start()
    client = certificates().client_context().wrap_socket(peer, server_hostname="localhost")
    thread.join(DEADLINE)
    return made[0], client


def connected(kind):
    """A pair of the named kind, the test's end with a timeout."""
    make = {
        "tcp": tcp_pair,
        "socketpair": socket.socketpair,
        "ssl": ssl_pair,
        "pyopenssl": pyopenssl_pair,
    }[kind]
    sock, peer = make()
    peer.settimeout(DEADLINE)
    return sock, peer


@contextlib.contextmanager
def pair(kind="tcp"):
    """:func:`connected`, both ends closed at last."""
    sock, peer = connected(kind)
    try:
        yield sock, peer
    finally:
        for end in (sock, peer):
            with contextlib.suppress(OSError):
                end.close()
