"""A server process that is told to end, to restart, or to become a daemon."""

import os
import signal

import pytest

from tests.support.cherrypy_app import farewell
from tests.support.cherrypy_process import ServerProcess, has_ended
from tests.support.raw import TEXT, Frame, RawClient, frame
from tests.support.waiting import wait_until

_SOCKETS = 50


@pytest.fixture
def server(tmp_path):
    with ServerProcess("echo.py", tmp_path) as running:
        yield running


def serving(server, count=_SOCKETS, start=0) -> list:
    clients = [server.connect(start=start) for _ in range(count)]
    wait_until(lambda: len(server.opened()) >= count)
    return clients


def assert_goodbyes(clients) -> None:
    assert [farewell(client) for client in clients] == [1001] * len(clients)
    for client in clients:
        client.sock.close()


def assert_echoes(client) -> None:
    client.send(frame(TEXT, b"hi"))
    assert client.read_frame() == Frame(TEXT, b"hi")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_with_a_goodbye_to_all(server, number):
    clients = serving(server)
    server.signal(number)
    assert_goodbyes(clients)
    assert server.wait() == 0
    assert len(server.closed(1001)) == _SOCKETS
    assert "Traceback" not in server.text()


def test_sigterm_ends_it_within_bounds_when_nobody_answers(server):
    clients = serving(server)
    server.signal()
    assert server.wait() == 0
    for client in clients:
        assert client.read_frame().close_code == 1001
        assert client.at_end()
        client.sock.close()
    assert len(server.closed(1006)) == _SOCKETS


def test_sigusr1_changes_nothing(server):
    clients = serving(server, 5)
    server.signal(signal.SIGUSR1)
    wait_until(lambda: "Bus graceful" in server.text())
    for client in clients:
        assert_echoes(client)
    server.signal()
    assert_goodbyes(clients)
    assert server.wait() == 0


def test_exit_from_a_callback(server):
    clients = serving(server)
    clients[0].send(frame(TEXT, b"exit"))
    assert_goodbyes(clients)
    assert server.wait() == 0
    assert len(server.closed(1001)) == _SOCKETS
    assert "Traceback" not in server.text()


def assert_restarts(server, clients) -> None:
    assert_goodbyes(clients)
    with server.connect(start=1) as client:
        assert_echoes(client)
        # The same process: it has only executed itself again.
        assert server.process.poll() is None
        server.signal()
        assert farewell(client) == 1001
    assert server.wait() == 0


def test_restart_from_a_callback(server):
    clients = serving(server)
    clients[0].send(frame(TEXT, b"restart"))
    assert_restarts(server, clients)


def test_autoreload(tmp_path):
    watched = tmp_path / "watched.txt"
    watched.write_text("")
    os.utime(watched, (1, 1))
    with ServerProcess("echo.py", tmp_path, watched) as server:
        clients = serving(server)
        # It notes the time before it compares, so it is touched until it has noticed.
        ages = iter(range(2, 10_000))

        def noticed() -> bool:
            age = next(ages)
            os.utime(watched, (age, age))
            return "Restarting because" in server.text()

        wait_until(noticed)
        assert_restarts(server, clients)


@pytest.fixture(params=["ours", "own"])
def daemon(request, tmp_path):
    """A daemon's pid and port, with our plugin or with a program's own."""
    pidfile, output = tmp_path / "daemon.pid", tmp_path / "daemon.txt"
    output.write_text("")
    with ServerProcess("daemon.py", tmp_path, pidfile, output, request.param) as parent:
        assert parent.wait() == 0, parent.text()
        # What the daemon itself prints goes elsewhere.
        parent.output = output
        wait_until(lambda: pidfile.exists() and pidfile.read_text().endswith("\n"))
        pid = int(pidfile.read_text())
        try:
            wait_until(lambda: parent._ports() or has_ended(pid))
            yield pid, parent
        finally:
            if not has_ended(pid):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: has_ended(pid))


def test_in_a_daemon(daemon, tmp_path):
    pid, output = daemon
    address = ("127.0.0.1", int(output._ports()[0]))
    clients = [RawClient(address) for _ in range(_SOCKETS)]
    for client in clients:
        assert client.upgrade(behind=frame(TEXT, b"hi")).status == 101
        assert client.read_frame() == Frame(TEXT, b"hi")
    # Daemonizer warns of threads that were running before.
    assert "active threads" not in output.text()
    assert "active threads" not in (tmp_path / "output.txt").read_text()
    os.kill(pid, signal.SIGTERM)
    assert_goodbyes(clients)
    wait_until(lambda: has_ended(pid))
    assert len(output.closed(1001)) == _SOCKETS
    assert not (tmp_path / "daemon.pid").exists()
