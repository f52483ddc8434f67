"""What gunicorn does with its workers, while websockets are open."""

import contextlib
import signal
import time

import pytest

from tests.servers.fleet import FLEET
from tests.servers.process import ServedProcess
from tests.support.raw import CLOSE, TEXT, Frame, close_frame, frame
from tests.support.waiting import wait_until

_GOING_AWAY = Frame(CLOSE, b"\x03\xe9Server is shutting down")

_WORKERS = {kind.name: kind for kind in FLEET if kind.package == "gunicorn"}


@pytest.fixture(params=_WORKERS.values(), ids=_WORKERS)
def kind(request):
    return request.param


def test_a_reload_says_goodbye_and_the_new_worker_serves(kind, tmp_path):
    with ServedProcess(kind, False, tmp_path) as process, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(process.connect()) for _ in range(10)]
        wait_until(lambda: process.status()["opened"] == 10)
        old = process.pid
        process.signal(signal.SIGHUP)
        for client in clients:
            assert client.read_frame() == _GOING_AWAY
            client.send(close_frame(1001))
            assert client.at_end()
            client.sock.close()
        wait_until(lambda: process.status()["pid"] != old)
        with process.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
        process.signal()
        assert process.wait() == 0
        assert not process.tracebacks()


def test_an_idle_websocket_is_no_busy_worker(kind, tmp_path):
    """With 1 s of patience a worker that is held would be killed several times over."""
    with ServedProcess(kind, False, tmp_path, "--timeout", "1") as process:
        with process.connect() as client:
            deadline = time.monotonic() + 4
            while time.monotonic() < deadline:
                assert process.status()["pid"] == process.pid
                time.sleep(0.1)
            client.send(frame(TEXT, b"still there"))
            assert client.read_frame() == Frame(TEXT, b"still there")
        assert "WORKER TIMEOUT" not in process.text()


def test_two_workers_serve_side_by_side(kind, tmp_path):
    with ServedProcess(kind, False, tmp_path, "--workers", "2") as process:
        # One that is told to end before it is up would not hear of it.
        workers = set()
        wait_until(lambda: workers.add(process.status()["pid"]) or len(workers) == 2)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(process.connect()) for _ in range(20)]
            for client in clients:
                client.send(frame(TEXT, b"hi"))
                assert client.read_frame() == Frame(TEXT, b"hi")
            process.signal()
            for client in clients:
                assert client.read_frame() == _GOING_AWAY
                client.send(close_frame(1001))
                assert client.at_end()
                client.sock.close()
        assert process.wait() == 0
        assert not process.own_tracebacks()


def test_a_body_of_unknown_length_is_refused(kind, tmp_path):
    with ServedProcess(kind, False, tmp_path) as process, process.client() as client:
        response = client.upgrade(behind=b"0\r\n\r\n", transfer_encoding="chunked")
        assert response.status == 400
        assert client.at_end()
        assert not process.tracebacks()
