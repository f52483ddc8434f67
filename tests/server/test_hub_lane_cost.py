"""What the fast lane costs under gevent's hub, counted: system calls. Never a time."""

from tests._engine.test_lane_cost import counted
from tests.support import hub_program, lane_program


def calls_of(part, tmp_path):
    return counted(part, tmp_path, hub_program)


class TestSystemCalls:
    """The hub waits once, and the lane looks once who it is."""

    def test_an_echo(self, tmp_path):
        calls, rounds = calls_of("echoes", tmp_path), lane_program.ROUNDS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds
        assert calls["epoll_wait"] <= 2 * rounds + 5
        assert calls["epoll_ctl"] == 0

    def test_those_that_do_not_read_cost_nothing(self, tmp_path):
        calls, rounds = calls_of("paused", tmp_path), lane_program.ROUNDS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds
        assert calls["epoll_wait"] <= 2 * rounds + 5

    def test_a_burst(self, tmp_path):
        calls, rounds = calls_of("bursts", tmp_path), lane_program.BURSTS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds
        assert calls["epoll_wait"] <= 2 * rounds + 5

    def test_callbacks_that_wait(self, tmp_path):
        """Each reply leaves at once; all else is done once a burst."""
        calls, rounds = calls_of("waiting-bursts", tmp_path), lane_program.BURSTS
        assert calls["recvfrom"] == rounds
        assert calls["sendto"] + calls["sendmsg"] == rounds * lane_program.IN_BURST
        assert calls["epoll_ctl"] == 0
