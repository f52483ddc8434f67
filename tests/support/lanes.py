"""Managers with and without the fast lane, and loops that wait for a test."""

import contextlib
import threading

from tests.support import twins
from tests.support.raw import TEXT, frame
from tests.support.serving import Recorder, serving
from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.lane import LanePoller
from ws4py.manager import EPollPoller

__all__ = ["ENGINES", "Gate", "engine", "held_up", "in_lane", "is_lane"]

#: Parameters of a fixture: the compiled lane, and the engine that runs everywhere.
ENGINES = ("lane", "portable")


@contextlib.contextmanager
def engine(name, **settings):
    """A manager with one of :data:`ENGINES`."""
    if name == "lane":
        twins.compiled("ws4py._engine.lane_c")
    with serving(LanePoller() if name == "lane" else EPollPoller(), **settings) as served:
        yield served


def is_lane(served) -> bool:
    """Whether the manager, or the pool, has the lane."""
    if hasattr(served, "has_lane"):
        return served.has_lane
    return isinstance(served.manager.poller, LanePoller)


def in_lane(served, *websockets) -> None:
    """Wait until all are served, in the lane where there is one."""
    for websocket in websockets:
        wait_until(lambda each=websocket: each._outlet._registered)
        if is_lane(served):
            wait_until(lambda each=websocket: each._take is not None)


class Gate(Recorder):
    """Holds up the loop from a message on, until the test lets it go on."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.entered, self.go_on = threading.Event(), threading.Event()

    def received_message(self, message):
        self.entered.set()
        assert self.go_on.wait(DEADLINE)


@contextlib.contextmanager
def held_up(served):
    """What is sent inside is found by the loop in one turn, at the end."""
    gate, peer = served.connect(Gate)
    in_lane(served, gate)
    peer.send(frame(TEXT, b"wait"))
    assert gate.entered.wait(DEADLINE)
    try:
        yield
    finally:
        gate.go_on.set()
