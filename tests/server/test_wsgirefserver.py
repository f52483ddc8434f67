"""The standard library's server with websockets: the contract of 0.6, threads, TLS, the end."""

import logging
import re
import socket
import socketserver
import subprocess
import sys
import threading
import wsgiref.util

import pytest

from tests.support.raw import CLOSE, TEXT, Frame, RawClient, close_frame, frame, request
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wsgiref_thread import make, serving
from ws4py.manager import WebSocketManager
from ws4py.server import wsgirefserver, wsgiutils
from ws4py.server.wsgirefserver import (
    WebSocketWSGIApplication,
    WebSocketWSGIHandler,
    WebSocketWSGIRequestHandler,
    WSGIServer,
)
from ws4py.websocket import EchoWebSocket, WebSocket


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    pass


def application_of(handler_cls=EchoWebSocket, environs=None, **settings):
    """Pages and, at /ws, websockets."""
    websockets = WebSocketWSGIApplication(handler_cls=handler_cls, **settings)

    def application(environ, start_response):
        if environs is not None:
            environs.append(environ)
        if environ["PATH_INFO"] == "/ws":
            return websockets(environ, start_response)
        start_response("200 OK", [("Content-Length", "5")])
        return [b"hello"]

    return application


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def tls(request):
    return request.param


@pytest.fixture
def quiet(monkeypatch):
    """Without the line for each request."""
    monkeypatch.setattr(WebSocketWSGIRequestHandler, "log_message", lambda *_: None)


pytestmark = pytest.mark.usefixtures("quiet")


# -- The contract ----------------------------------------------------------------


def test_the_example_in_the_documentation_runs_verbatim(tmp_path):
    example = re.search(r"::\n\n(.*?)\n\n\S", wsgirefserver.__doc__, re.DOTALL)[1]
    text = "\n".join(line.removeprefix("    ") for line in example.splitlines())
    program = tmp_path / "example.py"
    # Only the port is another, and told.
    program.write_text(
        text.replace("9000", "0").replace(
            "server.serve", "print(server.server_port, flush=True)\nserver.serve"
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    try:
        port = int(process.stdout.readline())
        with RawClient(("127.0.0.1", port)) as client:
            assert client.upgrade(behind=frame(TEXT, b"hi")).status == 101
            assert client.read_frame() == Frame(TEXT, b"hi")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_everything_can_be_imported_from_here():
    assert wsgirefserver.WebSocketWSGIApplication is wsgiutils.WebSocketWSGIApplication
    assert WebSocketWSGIRequestHandler.WebSocketWSGIHandler is WebSocketWSGIHandler


def test_nothing_of_the_standard_library_is_changed():
    """0.6 switched the hop-by-hop check off for the whole process."""
    assert wsgiref.util.is_hop_by_hop("Connection")
    assert wsgiref.util.is_hop_by_hop("upgrade")


def test_the_handler_takes_what_the_documentation_says():
    handler = WebSocketWSGIHandler(None, None, None, {}, multithread=True, multiprocess=False)
    assert (handler.wsgi_multithread, handler.wsgi_multiprocess) == (True, False)
    assert WebSocketWSGIHandler(None, None, None, {}).wsgi_multithread is True


def test_the_environ():
    environs, seen = [], []

    def application(environ, start_response):
        seen.append(dict(environ))
        return inner(environ, start_response)

    inner = application_of(environs=environs)
    with serving(application) as served, served.connect():
        sock = seen[0]["ws4py.socket"]
        assert sock.getpeername()
        assert seen[0]["wsgi.multithread"] is False
        wait_until(lambda: "ws4py.websocket" not in environs[0])
        assert "ws4py.socket" not in environs[0]


def test_pages_are_told_of_the_socket_as_well():
    environs = []
    with serving(application_of(environs=environs)) as served:
        assert served.get() == b"hello"


def test_a_threaded_server_says_so():
    seen = []

    def application(environ, start_response):
        seen.append(environ["wsgi.multithread"])
        return application_of()(environ, start_response)

    with serving(application, ThreadedServer) as served:
        served.get()
    assert seen == [True]


def test_the_handler_class_can_be_replaced():
    made = []

    class Handler(WebSocketWSGIHandler):
        def setup_environ(self):
            super().setup_environ()
            made.append(self)
            self.environ["example"] = "here"

    class RequestHandler(WebSocketWSGIRequestHandler):
        WebSocketWSGIHandler = Handler

    environs = []
    with serving(application_of(environs=environs), handler=RequestHandler) as served:
        served.get()
        assert environs[0]["example"] == "here"
        assert made[0].http_version == "1.1"


def test_a_server_can_be_told_how_to_link():
    linked = []

    class Linking(WSGIServer):
        def link_websocket_to_server(self, ws):
            linked.append(ws)
            self.manager.add(ws)

    with serving(application_of(), Linking) as served:
        served.server.initialize_websockets_manager()
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
    assert len(linked) == 1


def test_a_server_that_fails_to_link_closes_the_connection(capsys):
    class Failing(WSGIServer):
        def link_websocket_to_server(self, ws):
            raise ZeroDivisionError

    with serving(application_of(), Failing) as served, served.connect() as client:
        assert client.at_end()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_manager_is_made_once_and_started():
    with make(application_of()) as server:
        assert server.manager is None
        server.initialize_websockets_manager()
        manager = server.manager
        assert isinstance(manager, WebSocketManager)
        assert manager.running
        server.initialize_websockets_manager()
        assert server.manager is manager
    assert server.manager is None
    assert not manager.is_alive()


def test_a_lazy_middleware():
    inner = application_of()

    def lazy(environ, start_response):
        yield from inner(environ, start_response)

    with serving(lazy) as served:
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
        with served.client() as client:
            assert client.upgrade("/ws", sec_websocket_key=None).status == 400
            assert client.at_end()
        assert served.get() == b"hello"


def test_a_result_with_close_is_closed():
    closed = []

    class Result(list):
        def close(self):
            closed.append(True)

    def application(_environ, start_response):
        start_response("200 OK", [("Content-Length", "5")])
        return Result([b"hel", b"lo"])

    with serving(application) as served:
        assert served.get() == b"hello"
    assert closed == [True]


def test_an_application_that_fails_is_a_500(capsys):
    def application(_environ, _start_response):
        raise ZeroDivisionError

    with serving(application) as served, served.client() as client:
        assert client.upgrade().status == 500
        while not client.at_end():
            client.buffer = b""
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_old_programs_that_ask_for_the_exception(capsys):
    with serving(application_of(raise_errors=True)) as served, served.client() as client:
        assert client.upgrade("/ws", upgrade=None).status == 500
    assert "HandshakeError" in capsys.readouterr().err


def test_a_mixed_application_of_the_programs_own():
    class Mixed(WebSocketWSGIApplication):
        def __call__(self, environ, start_response):
            if environ.get("HTTP_UPGRADE"):
                return super().__call__(environ, start_response)
            start_response("200 OK", [("Content-Length", "5")])
            return [b"hello"]

    with serving(Mixed(handler_cls=EchoWebSocket)) as served:
        assert served.get() == b"hello"
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")


# -- Requests --------------------------------------------------------------------


def test_an_http_connection_is_closed_when_done():
    with serving(application_of()) as served, served.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        response = client.read_response()
        assert response.get("Connection") == "close"
        assert client.at_end()


def test_an_http_1_0_request():
    with serving(application_of()) as served, served.client() as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().status == 200


def test_a_request_line_without_end():
    with serving(application_of()) as served, served.client() as client:
        client.send(b"GET /" + b"x" * 70_000)
        assert client.read_response().status == 414


def test_what_is_no_request():
    with serving(application_of()) as served, served.client() as client:
        client.send(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n")
        assert client.read_response().status == 431


def test_a_response_survives_what_the_client_still_sends():
    with serving(application_of()) as served, served.client() as client:
        client.send(request("/ws", sec_websocket_key=None) + frame(TEXT, b"x" * 60_000) * 3)
        assert client.read_response().status == 400
        assert client.sock.recv(1) == b""


def test_a_client_that_is_gone_is_no_traceback(tls, capsys, caplog):
    with caplog.at_level(logging.INFO, "ws4py"), serving(application_of(), tls=tls) as served:
        for _ in range(20):
            client = served.client()
            client.send(request("/ws"))
            client.reset()
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_that_is_none_of_the_connections_is_told(capsys):
    class Failing(WebSocketWSGIRequestHandler):
        def handle(self):
            raise ZeroDivisionError

    with serving(application_of(), handler=Failing) as served, served.client() as client:
        assert client.at_end()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_that_the_program_is_to_end_is_no_error():
    """As when a signal's handler raises while the server is at a request."""

    def application(_environ, _start_response):
        raise SystemExit(3)

    with make(application) as server, RawClient(server.server_address) as client:
        client.send(request())
        with pytest.raises(SystemExit):
            server.handle_request()
        assert client.at_end()


# -- Silent clients --------------------------------------------------------------


def test_a_silent_client_does_not_hold_up_a_threaded_server(tls):
    with (
        serving(application_of(), ThreadedServer, tls=tls) as served,
        RawClient(served.server.server_address) as silent,
    ):
        silent.send(b"\x16")
        with served.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")


def test_a_silent_client_is_dropped_in_time(tls):
    class Impatient(WebSocketWSGIRequestHandler):
        timeout = 0.1

    with (
        serving(application_of(), handler=Impatient, tls=tls) as served,
        RawClient(served.server.server_address) as silent,
    ):
        assert silent.at_end()
        assert served.get() == b"hello"


def test_the_patience_with_a_request_does_not_bind_the_websocket():
    class Impatient(WebSocketWSGIRequestHandler):
        timeout = 0.1

    with serving(application_of(), handler=Impatient) as served, served.connect() as client:
        assert not threading.Event().wait(0.3)
        client.send(frame(TEXT, b"still there"))
        assert client.read_frame() == Frame(TEXT, b"still there")


# -- Ways to serve ---------------------------------------------------------------


def test_one_request_at_a_time():
    with make(application_of()) as server:
        server.timeout = 0.01
        done = threading.Event()

        def serve():
            while not done.is_set():
                server.handle_request()

        thread = threading.Thread(target=serve)
        thread.start()
        clients = []
        for _ in range(3):
            client = RawClient(server.server_address)
            assert client.upgrade("/ws", frame(TEXT, b"hi")).status == 101
            assert client.read_frame() == Frame(TEXT, b"hi")
            clients.append(client)
        done.set()
        thread.join(DEADLINE)
        # They are served by the manager, whether requests are handled or not.
        for client in clients:
            client.send(frame(TEXT, b"on"))
            assert client.read_frame() == Frame(TEXT, b"on")
            client.say_goodbye()
            client.sock.close()


def test_websockets_outlive_serve_forever():
    with serving(application_of()) as served:
        client = served.connect()
        served.stop()
        client.send(frame(TEXT, b"on"))
        assert client.read_frame() == Frame(TEXT, b"on")
        client.sock.close()


# -- The end ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [WSGIServer, ThreadedServer])
def test_server_close_says_goodbye_to_all(kind, tls):
    closed = []

    class Noting(WebSocket):
        def closed(self, code, reason=None):
            closed.append(code)

    with serving(application_of(Noting), kind, tls=tls) as served:
        clients = [served.connect() for _ in range(20)]
        wait_until(lambda: len(served.server.manager) == 20)
        served.stop()
        thread = threading.Thread(target=served.server.server_close)
        thread.start()
        for client in clients:
            assert client.read_frame() == Frame(CLOSE, b"\x03\xe9Server is shutting down")
            client.send(close_frame(1001))
            assert client.at_end()
            client.sock.close()
        thread.join(DEADLINE)
        assert not thread.is_alive()
        assert closed == [1001] * 20
        assert served.server.manager is None


def test_server_close_twice():
    with serving(application_of()) as served:
        served.connect().sock.close()
        served.stop()
        served.server.server_close()
        served.server.server_close()


def test_a_websocket_that_is_made_while_the_server_closes_is_refused():
    asked, go_on = threading.Event(), threading.Event()
    inner = application_of()

    def application(environ, start_response):
        asked.set()
        go_on.wait(DEADLINE)
        return inner(environ, start_response)

    with serving(application, ThreadedServer) as served, served.client() as client:
        client.send(request("/ws"))
        assert asked.wait(DEADLINE)
        served.stop()
        closing = threading.Thread(target=served.server.server_close)
        closing.start()
        wait_until(lambda: served.server.socket.fileno() == -1)
        go_on.set()
        assert client.read_response().status == 101
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        closing.join(DEADLINE)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        WSGIServer(other.getsockname(), WebSocketWSGIRequestHandler)
