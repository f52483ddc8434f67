"""Deadlines on one heap."""

import pytest

from ws4py._engine import timers as module
from ws4py._engine.timers import Timers


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture(name="clock")
def fixture_clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_none():
    timers = Timers(lambda: None)
    assert timers.wait() is None
    assert timers.due() == []


def test_in_the_order_of_time(clock):
    timers, seen = Timers(lambda: None), []
    for seconds in (3, 1, 2, 1):
        timers.after(seconds, lambda seconds=seconds: seen.append(seconds))
    assert timers.wait() == 1
    assert timers.due() == []
    clock.now += 2
    assert timers.wait() == 0
    for callback in timers.due():
        callback()
    assert seen == [1, 1, 2]
    assert timers.wait() == 1
    clock.now += 5
    assert timers.wait() == 0
    assert len(timers.due()) == 1
    assert timers.wait() is None


def test_cancelled(clock):
    timers = Timers(lambda: None)
    first = timers.after(1, list)
    second = timers.after(2, list)
    third = timers.after(3, list)
    first.cancel()
    assert timers.wait() == 2
    third.cancel()
    clock.now += 5
    assert len(timers.due()) == 1
    assert second.callback is None
    second.cancel()
    assert timers.wait() is None


def test_negative_is_at_once():
    timers = Timers(lambda: None)
    timers.after(-1, list)
    assert timers.wait() == 0
    assert len(timers.due()) == 1


@pytest.mark.parametrize("seconds", [1e6, 1e12, float("inf")])
def test_no_system_is_asked_to_wait_too_long(clock, seconds):
    timers = Timers(lambda: None)
    timers.after(seconds, lambda: None)
    assert timers.wait() == 86_400
    clock.now += 86_400
    assert timers.due() == []
