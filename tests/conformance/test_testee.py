from __future__ import annotations

import os
import sys

import pytest

from conformance import testee
from conformance.failure import ConformanceError


@pytest.fixture
def server(tmp_path):
    """Makes a command out of the body of a server's program."""

    def command(body):
        program = tmp_path / "server.py"
        program.write_text(f"import os, signal, sys, time\n{body}\n", encoding="utf-8")
        return (sys.executable, str(program))

    return command


SERVES = """
print(12345, flush=True)
time.sleep(600)
"""


def test_the_port_is_read_and_the_server_ended(server, tmp_path):
    body = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))" + SERVES
    with testee.running(server(body), tmp_path) as url:
        assert url == "ws://127.0.0.1:12345/ws"
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_server_is_told_where_to_log(server, tmp_path):
    body = "assert sys.argv[1] == '--log'; open(sys.argv[2], 'w').write('here')" + SERVES
    with testee.running(server(body), tmp_path):
        pass
    assert (tmp_path / "server.log").read_text() == "here"


def test_a_server_that_does_not_start_is_told_with_its_own_words(server, tmp_path):
    run = testee.running(server("sys.exit('no such module')"), tmp_path)
    with pytest.raises(ConformanceError, match="no such module"):
        run.__enter__()


def test_what_is_no_port_is_refused(server, tmp_path):
    run = testee.running(server("print('hello', flush=True)\n" + SERVES), tmp_path)
    with pytest.raises(ConformanceError, match="no port"):
        run.__enter__()


def test_a_silent_server_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(testee, "START_SECONDS", 0.2)
    run = testee.running(server("time.sleep(600)"), tmp_path)
    with pytest.raises(ConformanceError, match="silent"):
        run.__enter__()


def see_it_die(command, folder):
    with testee.running(command, folder):
        pid = int((folder / "pid").read_text())
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_a_server_that_dies_under_the_suite_is_a_failure(server, tmp_path):
    body = f"""
open({str(tmp_path / "pid")!r}, 'w').write(str(os.getpid()))
print(12345, flush=True)
sys.exit('out of memory')
"""
    with pytest.raises(ConformanceError, match=r"(?s)status 1.*out of memory"):
        see_it_die(server(body), tmp_path)


def test_a_server_that_outlives_sigterm_is_a_failure_and_is_ended(server, tmp_path, monkeypatch):
    monkeypatch.setattr(testee, "STOP_SECONDS", 0.2)
    run = testee.running(server("signal.signal(15, signal.SIG_IGN)" + SERVES), tmp_path)
    run.__enter__()
    with pytest.raises(ConformanceError, match="SIGTERM"):
        run.__exit__(None, None, None)


def test_the_server_is_ended_when_the_suite_fails(server, tmp_path):
    body = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))" + SERVES
    with pytest.raises(KeyError), testee.running(server(body), tmp_path):
        raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
