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

    def __init__(self, fd, answers=True) -> None:
        self.fd, self.answers = fd, answers
        self.rhythm = self.last_ping = None
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


@pytest.fixture
def join(pulses, members):
    def join(rhythm, fd=3, kind=Member, **keywords):
        member = kind(fd, **keywords)
        pulses.join(member, rhythm)
        members.append(member)
        return member

    return join


def test_the_clock_of_this_test_is_the_one_that_is_used(clock):
    assert pulse.time.monotonic() == clock.now != time.monotonic()


def test_one_timer_for_all_of_a_rhythm(join, clock, members):
    first = join((8.0, 8.0))
    assert join((8, 8)).rhythm is first.rhythm
    assert len(clock.waiting) == 1
    other = join((8.0, None))
    assert other.rhythm is not first.rhythm
    assert len(clock.waiting) == 2
    members.remove(other)
    for _ in range(6):
        clock.step()
    assert len(clock.waiting) == 1


def test_a_newcomer_is_left_in_peace_at_first(join, clock):
    for fd in range(8):
        join((8.0, 8.0), fd)
    for _ in range(20):
        clock.step()
    late = [join((8.0, 8.0), fd) for fd in range(8)]
    for _ in range(4):
        clock.step()
    assert [member.pings for member in late] == [[]] * 8
    for _ in range(4):
        clock.step()
    assert [len(member.pings) for member in late] == [1] * 8


def test_each_is_pinged_once_in_an_interval_and_not_all_at_once(join, clock, members):
    for fd in range(24):
        join((8.0, 16.0), fd)
    for _ in range(8):
        clock.step()
    assert [len(member.pings) for member in members] == [1] * 24
    sent = {member.pings[0].sent for member in members}
    assert len(sent) == 4
    # One for all that are pinged together, another one for others.
    assert len({member.pings[0].payload for member in members}) == 4
    for _ in range(8):
        clock.step()
    assert {member.pings[1].sent - member.pings[0].sent for member in members} == {8.0}


def test_a_timeout_that_is_shorter_than_the_interval(join, clock):
    silent = join((80.0, 8.0), answers=False)
    while not silent.silent:
        clock.step()
    assert silent.silent == [8.0]
    assert clock.now - silent.pings[0].sent == 8.0
    assert len(silent.pings) == 1


def test_a_timeout_that_is_longer_than_the_interval(join, clock):
    silent = join((8.0, 80.0), answers=False)
    while not silent.silent:
        clock.step()
    assert clock.now - silent.pings[0].sent == 80.0
    # An answer to the first one would do: there is no need for another.
    assert len(silent.pings) == 1


def test_without_a_timeout_nobody_is_gone(join, clock):
    silent = join((8.0, None), answers=False)
    for _ in range(80):
        clock.step()
    assert silent.silent == []
    assert len(silent.pings) == 10


def test_who_is_heard_again_goes_on(join, clock):
    member = join((8.0, 8.0), answers=False)
    while not member.pings:
        clock.step()
    for _ in range(7):
        clock.step()
    member.answers = True
    for _ in range(80):
        clock.step()
    assert member.silent == []
    assert len(member.pings) == 11


def test_others_have_a_rhythm_of_their_own(join, clock, members):
    join((1.0, 1.0))
    join((100.0, 100.0))
    members.append(Member(3))
    until = clock.now + 100
    while clock.now < until:
        clock.step()
    assert len(members[0].pings) == 100
    assert len(members[1].pings) == 1
    assert members[2].pings == []


def test_a_member_that_raises_is_logged_and_costs_nobody_else_anything(
    join, clock, members, caplog
):
    class Raising(Member):
        def beat(self, ping):
            raise ZeroDivisionError

    join((8.0, 8.0), kind=Raising)
    join((8.0, 8.0))
    for _ in range(8):
        clock.step()
    assert len(members[1].pings) == 1
    assert "ZeroDivisionError" in caplog.text


def test_without_members_there_is_no_timer(join, clock, members):
    join((8.0, 8.0))
    clock.step()
    members.clear()
    clock.step()
    assert clock.waiting == []
    member = join((8.0, 8.0))
    for _ in range(8):
        clock.step()
    assert len(member.pings) == 1


def test_a_loop_that_was_held_up_first_hears_what_was_said_meanwhile(join, clock):
    member = join((8.0, 8.0), answers=False)
    while not member.pings:
        clock.step()
    clock.step(held_up=60.0)
    assert member.silent == []
    member.answers = True
    for _ in range(8):
        clock.step()
    assert member.silent == []
    assert len(member.pings) == 2


def test_a_loop_that_is_held_up_again_and_again_finds_who_is_gone(join, clock):
    member = join((8.0, 8.0), answers=False)
    while not member.pings:
        clock.step()
    for _ in range(7):
        clock.step(held_up=60.0)
        assert member.silent == []
    clock.step(held_up=60.0)
    assert member.silent == [8.0]
    assert len(member.pings) == 1
