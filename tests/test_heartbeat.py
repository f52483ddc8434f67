"""The heartbeat of connections that read in a thread of their own."""

import threading

import pytest

from tests.support.waiting import DEADLINE, wait_until
from ws4py._heartbeat import Heartbeat
from ws4py.exc import ConnectionClosed
from ws4py.messaging import PongControlMessage


class Connection:
    """Takes a number of beats, and raises then."""

    server_terminated = False

    def __init__(self, beats=0, error=None) -> None:
        self.beats, self.error = beats, error
        self.sent = []
        self.closed = 0

    def send(self, payload, binary=False):
        if self.error is not None and len(self.sent) == self.beats:
            raise self.error
        self.sent.append(payload)

    def close_connection(self):
        self.closed += 1


def test_beats_until_stopped():
    connection = Connection()
    heartbeat = Heartbeat(connection, 0.01)
    assert isinstance(heartbeat, threading.Thread)
    assert heartbeat.daemon
    assert not heartbeat.running
    with heartbeat as entered:
        assert entered is heartbeat
        wait_until(lambda: len(connection.sent) >= 3)
        assert heartbeat.running
    heartbeat.join(DEADLINE)
    assert not heartbeat.is_alive()
    assert not heartbeat.running
    assert {(type(beat), beat.data) for beat in connection.sent} == {(PongControlMessage, b"beep")}
    assert connection.closed == 0


@pytest.mark.parametrize("frequency", [None, 0])
def test_none(frequency):
    with Heartbeat(Connection(), frequency) as heartbeat:
        assert not heartbeat.is_alive()


def test_frequency_of_0_6():
    assert Heartbeat(Connection()).frequency == 2.0


def test_broken_connection_is_closed():
    connection = Connection(2, OSError("gone"))
    Heartbeat(connection, 0.01).run()
    assert len(connection.sent) == 2
    assert connection.server_terminated
    assert connection.closed == 1


def test_connection_that_is_closing_is_left_in_peace():
    connection = Connection(2, ConnectionClosed("closing"))
    heartbeat = Heartbeat(connection, 0.01)
    heartbeat.run()
    assert not connection.server_terminated
    assert connection.closed == 0
    assert not heartbeat.running


def test_run_in_a_thread_of_the_programs():
    connection = Connection()
    heartbeat = Heartbeat(connection, 0.01)
    thread = threading.Thread(target=heartbeat.run)
    thread.start()
    wait_until(lambda: connection.sent)
    heartbeat.stop()
    thread.join(DEADLINE)
    assert not thread.is_alive()
