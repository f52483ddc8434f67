"""The end of the server, while websockets are open."""

import contextlib

import pytest

from tests.servers.fleet import SERVED, name_of
from tests.servers.process import ServedProcess
from tests.support.raw import CLOSE, Frame, close_frame
from tests.support.waiting import wait_until

_GOING_AWAY = Frame(CLOSE, b"\x03\xe9Server is shutting down")


@pytest.mark.case("SIGTERM with 50 open")
@pytest.mark.parametrize("served", SERVED, ids=name_of)
def test_sigterm_with_fifty_open(served, tmp_path):
    with ServedProcess(*served, tmp_path) as process, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(process.connect()) for _ in range(50)]
        wait_until(lambda: process.status()["opened"] == 50)
        process.signal()
        for client in clients:
            assert client.read_frame() == _GOING_AWAY
            client.send(close_frame(1001))
            # An end and not a reset, which would raise.
            assert client.sock.recv(1) == b""
            client.sock.close()
        assert process.wait() == 0
        assert "Traceback" not in process.text(), process.text()
