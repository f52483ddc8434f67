"""Which server a request came through: by what it leaves in the environ, or by the thread."""

import io
import socket
import threading

import pytest

from tests.support.raw import TEXT, frame
from tests.support.sockets import pair
from tests.support.waiting import DEADLINE
from tests.support.wsgi import environ_of
from ws4py.server._direct import take_socket

_EARLY = frame(TEXT, b"early")


class OldUnreader:
    """gunicorn's before release 27."""

    def __init__(self) -> None:
        self.buf = io.BytesIO(_EARLY)


class Unreader(OldUnreader):
    """gunicorn's, where the buffer is its own business."""

    def take_buffered(self):
        data, self.buf = self.buf.getvalue(), None
        return data


class Reader:
    def __init__(self, unreader) -> None:
        self.unreader = unreader


class Body:
    def __init__(self, reader) -> None:
        self.reader = reader


def gunicorn(sock, reader):
    return environ_of(**{"gunicorn.socket": sock, "wsgi.input": Body(reader)})


def test_an_unknown_server_has_nothing_to_give():
    assert take_socket(environ_of()) is None


@pytest.mark.parametrize("kind", [OldUnreader, Unreader])
def test_gunicorn(kind):
    with pair() as (sock, peer):
        ours, early = take_socket(gunicorn(sock, Reader(kind())))
        assert early == _EARLY
        peer.sendall(b"hi")
        assert ours.recv(10) == b"hi"
        assert sock.recv(10) == b""
        ours.close()


def test_a_body_of_unknown_length_under_gunicorn():
    with pair() as (sock, _):
        ours, early = take_socket(gunicorn(sock, object()))
        assert early == b""
        ours.close()


def test_werkzeug():
    with pair() as (sock, peer), sock.makefile("rb") as reader:
        peer.sendall(b"request\r\n" + _EARLY)
        reader.readline()
        environ = environ_of(**{"werkzeug.socket": sock, "wsgi.input": reader})
        ours, early = take_socket(environ)
        assert early == _EARLY
        assert ours.gettimeout() is None
        assert sock.recv(10) == b""
        ours.close()


def test_a_body_of_unknown_length_under_werkzeug():
    with pair() as (sock, _):
        environ = environ_of(**{"werkzeug.socket": sock, "wsgi.input": io.RawIOBase()})
        ours, early = take_socket(environ)
        assert early == b""
        ours.close()


def in_a_thread_with(conn):
    """What is taken on a thread that has this as its connection."""
    found = []
    thread = threading.Thread(target=lambda: found.append(take_socket(environ_of())))
    thread.conn = conn
    thread.start()
    thread.join(DEADLINE)
    return found[0]


def test_cheroot():
    cheroot = pytest.importorskip("cheroot.server")
    from cheroot.makefile import MakeFile

    class Server:
        stats = {"Enabled": False}  # noqa: RUF012 - as cheroot has it
        ssl_adapter = None
        peercreds_enabled = peercreds_resolve_enabled = False

    with pair() as (sock, peer):
        connection = cheroot.HTTPConnection(Server(), sock, MakeFile)
        sock.settimeout(10)
        ours, early = in_a_thread_with(connection)
        assert ours is sock
        assert early == b""
        assert sock.gettimeout() is None
        # What cheroot goes on writing, and whatever it does then, is nobody's business.
        connection.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        # No poller has to tell it that there is an end to be read.
        assert connection.rfile.has_data()
        assert connection.rfile.readline() == connection.rfile.read(10) == b""
        assert connection.socket.fileno() == -1
        connection.socket.shutdown(socket.SHUT_RD)
        connection.close()
        peer.sendall(b"hi")
        assert ours.recv(10) == b"hi"
        ours.sendall(b"hi")
        assert peer.recv(100) == b"hi"


def test_another_programs_thread_with_a_connection_of_another_kind():
    assert in_a_thread_with(object()) is None
