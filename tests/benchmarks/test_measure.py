"""One real measurement of the reference, small; and what is made of the numbers."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from benchmarks import measure
from benchmarks.cores import Cores
from benchmarks.environments import Prepared
from benchmarks.failure import MeasurementError
from benchmarks.measure import Bench
from benchmarks.registry import PEERS, REFERENCE
from benchmarks.scenarios import MAIN
from benchmarks.usage import Cpu

USABLE = sorted(os.sched_getaffinity(0))
# On one core both share it: the figures would be worthless and the sequence is the same.
CORES = Cores(USABLE[0], USABLE[-1])


@pytest.fixture
def bench(programs, tmp_path):
    return Bench(programs["load"], CORES, tmp_path / "logs", 0.1, 0.05, 60)


@pytest.fixture
def reference(programs, tmp_path):
    return Prepared(PEERS[REFERENCE], (str(programs["echo"]),), tmp_path, {}, {})


@pytest.mark.parametrize("name", ["one", "burst", "text", "connect", "handshake", "http"])
def test_a_measurement_has_figures(bench, reference, name):
    found = measure.take(bench, reference, MAIN[name])
    assert found["messages"] > 0
    assert found["cpu_us"] > 0
    assert found["per_second"] == pytest.approx(found["messages"] / found["seconds"], rel=0.01)
    assert found["cpu_us"] * found["messages"] / 1e6 == pytest.approx(
        found["server_busy"] * found["seconds"]
    )


def test_a_broadcast_has_figures_for_each_delivery(bench, reference):
    scenario = MAIN["broadcast-1000"]._replace(connections=30)
    assert measure.take(bench, reference, scenario)["messages"] % 30 == 0


def test_memory_is_read_at_every_step(bench, reference, monkeypatch):
    monkeypatch.setattr("benchmarks.scenarios.IDLE_STEPS", (1, 50))
    monkeypatch.setattr(measure, "IDLE_STEPS", (1, 50))
    found = measure.take(bench, reference, MAIN["idle"])
    assert list(found["rss"]) == ["0", "1", "50"]
    assert found["bytes"] == (found["rss"]["50"] - found["rss"]["0"]) / 50


def test_calls_are_those_of_each_message(bench, reference):
    if shutil.which("strace") is None:
        pytest.skip("no strace here; `make bench` installs it")
    found = measure.count_calls(bench, reference, MAIN["one"])
    # One each, and epoll_wait: a connection with one message outstanding shares it with nobody.
    assert found["by_name"]["recvfrom"] == pytest.approx(1, abs=0.1)
    assert found["by_name"]["sendto"] == pytest.approx(1, abs=0.1)
    assert found["per_message"] == pytest.approx(3, abs=0.3)


def test_a_server_that_answers_wrongly_has_no_figures(bench, tmp_path):
    program = tmp_path / "wrong.py"
    program.write_text(
        "import socket\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "connection, _ = listener.accept()\n"
        "connection.recv(1000)\n"
        "connection.sendall(b'HTTP/1.1 404 Not Found\\r\\n\\r\\n')\n"
        "connection.recv(1000)\n"
    )
    wrong = Prepared(PEERS[REFERENCE], (sys.executable, str(program)), tmp_path, {}, {})
    with pytest.raises(MeasurementError, match="404 Not Found"):
        measure.take(bench, wrong, MAIN["one"])


REPORT = {
    "event": "done",
    "messages": 200,
    "seconds": 2.0,
    "per_second": 100.0,
    "p50_us": 1.0,
    "p99_us": 2.0,
    "errors": 0,
    "cpu_seconds": 0.5,
}


def test_what_is_made_of_the_numbers():
    found = measure._figures(REPORT, Cpu(1.0, 0.25, 0.75))
    assert found["cpu_us"] == 5000
    assert found["system_share"] == 0.75
    assert found["server_busy"] == 0.5
    assert found["load_busy"] == 0.25
    assert "left_open" not in found


def test_no_ticks_are_no_share():
    assert measure._figures(REPORT, Cpu(0.001, 0, 0))["system_share"] is None


def test_no_messages_are_a_failure():
    with pytest.raises(MeasurementError, match="no message"):
        measure._figures({**REPORT, "messages": 0}, Cpu(1, 1, 0))
