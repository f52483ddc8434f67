from __future__ import annotations

import os
import sys

import pytest

from benchmarks import server
from benchmarks.environments import Prepared
from benchmarks.failure import MeasurementError
from benchmarks.registry import Peer
from benchmarks.scenarios import MAIN
from tests.support.waiting import wait_until

CORE = min(os.sched_getaffinity(0))
SERVES = """
print(12345, flush=True)
time.sleep(600)
"""


@pytest.fixture
def run(tmp_path):
    """Runs the body of a server's program as a peer."""

    def running(body, **more):
        program = tmp_path / "program.py"
        program.write_text(f"import os, signal, subprocess, sys, time\n{body}\n")
        peer = Peer("peer", "a peer", "program.py", **more)
        prepared = Prepared(peer, (sys.executable, str(program)), tmp_path, {}, {})
        return server.running(prepared, MAIN["broadcast-1000"], CORE, tmp_path / "logs")

    return running


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_port_is_read_and_the_server_ended(run):
    with run(SERVES) as each:
        assert each.port == 12345
        (pid,) = each.pids()
        assert os.sched_getaffinity(pid) == {CORE}
    assert is_gone(pid)


def test_the_mode_comes_first_and_then_the_peers_own(run):
    body = "assert sys.argv[1:] == ['broadcast', 'fast']\nassert os.environ['ANSWER'] == '42'"
    with run(body + SERVES, arguments=("fast",), variables={"ANSWER": "42"}):
        pass


def test_somebody_elses_modules_are_not_used(run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with run("assert 'PYTHONPATH' not in os.environ" + SERVES):
        pass


def test_workers_are_ended_too_when_they_outlive_their_parent(run):
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    body = f"subprocess.Popen([sys.executable, '-c', {stubborn!r}])"
    with run(body + SERVES) as each:
        pids = each.pids()
        assert len(pids) == 2
    # The worker's new parent has to take notice of its end.
    wait_until(lambda: all(is_gone(pid) for pid in pids))


def test_one_that_ignores_the_signal_is_killed(run, monkeypatch):
    monkeypatch.setattr(server, "STOP_SECONDS", 0.1)
    with run("signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SERVES) as each:
        (pid,) = each.pids()
    assert is_gone(pid)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("sys.exit('no such module')", "no such module"),
        ("print('ready')\ntime.sleep(600)", "ready"),
        ("time.sleep(600)", "silent"),
    ],
)
def test_one_that_names_no_port_is_told(run, monkeypatch, body, complaint):
    monkeypatch.setattr(server, "START_SECONDS", 1 if complaint == "silent" else 60)
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    with pytest.raises(MeasurementError, match=complaint):
        run(body).__enter__()


def test_what_the_server_said_last_stands_in_the_failure(run):
    body = "print('out of threads', file=sys.stderr, flush=True)"
    with (
        pytest.raises(MeasurementError, match="it was refused; server: out of threads"),
        run(body + SERVES),
    ):
        raise MeasurementError("it was refused")
    with pytest.raises(MeasurementError, match=r"refused$"), run(SERVES):
        raise MeasurementError("it was refused")


def test_one_that_ends_meanwhile_is_told(run):
    with run("print(1, flush=True)\nsys.exit('died')") as each:

        def raises():
            try:
                each.pids()
            except MeasurementError as error:
                return "died" in str(error)
            return False

        wait_until(raises)
