"""What the fast lane costs, counted: system calls, copies, allocations. Never a time."""

import os
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from tests.support import lane_program, twins
from tests.support.lanes import engine, in_lane
from tests.support.raw import BINARY, TEXT, frame
from tests.support.serving import Peer
from tests.support.sockets import tcp_pair
from tests.support.waiting import wait_until
from ws4py.websocket import EchoWebSocket, WebSocket

ROOT = Path(__file__).resolve().parents[2]
_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)")


@pytest.fixture(name="served")
def fixture_served():
    with engine("lane") as served:
        yield served


def connect(served, cls):
    """A connection that writes nothing down."""
    sock, raw = tcp_pair()
    raw.settimeout(20)
    websocket, peer = cls(sock), Peer(raw)
    served.peers.append(peer)
    served.manager.add(websocket)
    in_lane(served, websocket)
    return websocket, peer


def counted(part, tmp_path, program=lane_program):
    """The system calls of a part of the program, by name."""
    twins.compiled("ws4py._engine.lane_c")
    if shutil.which("strace") is None:
        if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
            pytest.fail("there is no strace")
        pytest.skip("there is no strace")
    output = tmp_path / "calls"
    calls = "recvfrom,sendto,sendmsg,epoll_wait,epoll_ctl,read,write,close"
    strace = ["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", str(output)]
    subprocess.run(
        [*strace, sys.executable, program.__file__, part],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=True,
    )
    lines = output.read_text().splitlines()
    begin, end = (n for n, line in enumerate(lines) if f"close({lane_program.MARK}" in line)
    # A call that was interrupted by another thread's stands on two lines.
    inside = [line for line in lines[begin + 1 : end] if "resumed>" not in line]
    return Counter(match[1] for match in map(_CALL.match, inside) if match)


class TestSystemCalls:
    def test_an_echo(self, tmp_path):
        """One recv, one send, one wait; nothing at all for the connections that are idle."""
        calls = counted("echoes", tmp_path)
        rounds = lane_program.ROUNDS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds
        assert calls["epoll_wait"] <= rounds + 1
        assert calls["epoll_ctl"] == 0

    def test_those_that_do_not_read_cost_nothing(self, tmp_path):
        calls = counted("paused", tmp_path)
        rounds = lane_program.ROUNDS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds
        assert calls["epoll_wait"] <= rounds + 1

    def test_a_burst(self, tmp_path):
        calls = counted("bursts", tmp_path)
        assert calls["recvfrom"] == lane_program.BURSTS
        assert calls["sendto"] + calls["sendmsg"] == lane_program.BURSTS
        assert calls["epoll_wait"] <= 2 * lane_program.BURSTS + 1

    def test_a_broadcast(self, tmp_path):
        calls = counted("broadcast", tmp_path)
        assert calls["sendto"] + calls["sendmsg"] == lane_program.LISTENERS
        # The loop is woken once.
        assert calls["write"] == 1
        assert calls["recvfrom"] == 0


class TestMemory:
    def test_a_thousand_echoes_leave_nothing(self, served):
        _, peer = connect(served, EchoWebSocket)
        data = frame(TEXT, b"hello") * 10 + frame(BINARY, b"x" * 10_000)

        def echo(times):
            for _ in range(times):
                peer.send(data)
                for _ in range(11):
                    peer.read_frame()
            # Its last turn is over when it begins another.
            peer.send(frame(TEXT, b""))
            peer.read_frame()

        echo(50)
        before = sys.getallocatedblocks()
        echo(1000)
        assert sys.getallocatedblocks() - before < 100

    def test_a_large_payload_is_not_copied(self, served):
        class Returning(WebSocket):
            def received_message(self, message):
                self.send(message.data, binary=True)

        websocket, peer = connect(served, Returning)
        size = 8 * 1024 * 1024
        data = frame(BINARY, b"x" * size)
        tracemalloc.start()
        try:
            peer.send(data)
            # The peer does not read: what the kernel cannot take is in the queue.
            wait_until(lambda: websocket._outlet.unsent)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1.2 * size
        assert len(peer.read_frame().payload) == size
