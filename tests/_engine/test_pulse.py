"""The heartbeat: who is pinged when, and who is taken to be gone, by a clock of the test's own."""

import time

import pytest

from ws4py._engine import pulse
from ws4py._engine.pulse import Pulses


class Clock:
    """Time, and the timers of a loop, that stand still until the test moves them."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waiting = []

    def monotonic(self):
        return self.now

    def after(self, seconds, callback):
        self.waiting.append((self.now + seconds, callback))

    def step(self, held_up=0.0):
        """Go on to the next deadline, or somewhat later."""
        self.waiting.sort(key=lambda each: each[0])
        deadline, callback = self.waiting.pop(0)
        self.now = deadline + held_up
        callback()


class Member:
    """A connection that answers, or does not."""

    def __init__(self, fd, rhythm, answers=True) -> None:
        self.fd, self.rhythm, self.answers = fd, rhythm, answers
        self.last_ping = None
        self.pings = []
        self.silent = []

    def beat(self, ping):
        self.last_ping = ping
        self.pings.append(ping)

    def is_heard(self):
        return self.answers

    def fall_silent(self, seconds):
        self.silent.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pulse, "time", clock)
    return clock


@pytest.fixture
def members():
    return []


@pytest.fixture
def pulses(clock, members):
    return Pulses(lambda: members, clock)


def test_the_clock_of_this_test_is_the_one_that_is_used(clock):
    assert pulse.time.monotonic() == clock.now != time.monotonic()


def test_one_timer_for_all_of_a_rhythm(pulses, clock, members):
    first = pulses.join((8.0, 8.0))
    assert pulses.join((8, 8)) is first
    assert len(clock.waiting) == 1
    other = pulses.join((8.0, None))
    assert other is not first
    assert len(clock.waiting) == 2
    members.append(Member(3, first))
    for _ in range(6):
        clock.step()
    assert len(clock.waiting) == 1


def test_each_is_pinged_once_in_an_interval_and_not_all_at_once(pulses, clock, members):
    rhythm = pulses.join((8.0, 16.0))
    members += [Member(fd, rhythm) for fd in range(24)]
    for _ in range(8):
        clock.step()
    assert [len(member.pings) for member in members] == [1] * 24
    sent = {member.pings[0].sent for member in members}
    assert len(sent) == 8
    # One for all that are pinged together, another one for others.
    assert len({member.pings[0].payload for member in members}) == 8
    for _ in range(8):
        clock.step()
    assert {member.pings[1].sent - member.pings[0].sent for member in members} == {8.0}


def test_a_timeout_that_is_shorter_than_the_interval(pulses, clock, members):
    members.append(silent := Member(3, pulses.join((80.0, 8.0)), answers=False))
    while not silent.silent:
        clock.step()
    assert silent.silent == [8.0]
    assert clock.now - silent.pings[0].sent == 8.0
    assert len(silent.pings) == 1


def test_a_timeout_that_is_longer_than_the_interval(pulses, clock, members):
    members.append(silent := Member(3, pulses.join((8.0, 80.0)), answers=False))
    while not silent.silent:
        clock.step()
    assert clock.now - silent.pings[0].sent == 80.0
    # An answer to the first one would do: there is no need for another.
    assert len(silent.pings) == 1


def test_without_a_timeout_nobody_is_gone(pulses, clock, members):
    members.append(silent := Member(3, pulses.join((8.0, None)), answers=False))
    for _ in range(80):
        clock.step()
    assert silent.silent == []
    assert len(silent.pings) == 10


def test_who_is_heard_again_goes_on(pulses, clock, members):
    members.append(member := Member(3, pulses.join((8.0, 8.0)), answers=False))
    while not member.pings:
        clock.step()
    for _ in range(7):
        clock.step()
    member.answers = True
    for _ in range(80):
        clock.step()
    assert member.silent == []
    assert len(member.pings) == 11


def test_others_have_a_rhythm_of_their_own(pulses, clock, members):
    fast, slow = pulses.join((1.0, 1.0)), pulses.join((100.0, 100.0))
    members += [Member(3, fast), Member(3, slow), Member(3, None)]
    until = clock.now + 100
    while clock.now < until:
        clock.step()
    assert len(members[0].pings) == 100
    assert len(members[1].pings) == 1
    assert members[2].pings == []


def test_a_member_that_raises_is_logged_and_costs_nobody_else_anything(
    pulses, clock, members, caplog
):
    class Raising(Member):
        def beat(self, ping):
            raise ZeroDivisionError

    rhythm = pulses.join((8.0, 8.0))
    members += [Raising(3, rhythm), Member(3, rhythm)]
    for _ in range(8):
        clock.step()
    assert len(members[1].pings) == 1
    assert "ZeroDivisionError" in caplog.text


def test_without_members_there_is_no_timer(pulses, clock, members):
    rhythm = pulses.join((8.0, 8.0))
    members.append(Member(3, rhythm))
    clock.step()
    members.clear()
    clock.step()
    assert clock.waiting == []
    again = pulses.join((8.0, 8.0))
    members.append(member := Member(3, again))
    for _ in range(8):
        clock.step()
    assert len(member.pings) == 1


def test_a_loop_that_was_held_up_first_hears_what_was_said_meanwhile(pulses, clock, members):
    members.append(member := Member(3, pulses.join((8.0, 8.0)), answers=False))
    while not member.pings:
        clock.step()
    clock.step(held_up=60.0)
    assert member.silent == []
    member.answers = True
    for _ in range(8):
        clock.step()
    assert member.silent == []
    assert len(member.pings) == 2


def test_a_loop_that_is_held_up_again_and_again_finds_who_is_gone(pulses, clock, members):
    members.append(member := Member(3, pulses.join((8.0, 8.0)), answers=False))
    while not member.pings:
        clock.step()
    for _ in range(7):
        clock.step(held_up=60.0)
        assert member.silent == []
    clock.step(held_up=60.0)
    assert member.silent == [8.0]
    assert len(member.pings) == 1
