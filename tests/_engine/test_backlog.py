"""Who waits for a slow peer, and when it is given up, with a channel of the test's own."""

import threading

import pytest

from tests.support.pressing import Call
from tests.support.waiting import wait_until
from ws4py._engine.backlog import Backlog, may_wait, nobody_waits


class Timers:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = []
        self.callbacks = []

    def after(self, seconds, callback):
        self.seconds.append(seconds)
        self.callbacks.append(callback)
        return self

    def cancel(self):
        self.callbacks.clear()

    def fire(self):
        self.callbacks.pop(0)()


class Channel:
    """A peer whose reading is the test's."""

    def __init__(self, write_timeout=8.0) -> None:
        self.loop = self.websocket = self
        self.timers = Timers()
        self.write_timeout = write_timeout
        self.retired = False
        self.crowded = self.behind = True
        self.progress = False
        self.asked = []
        self.reasons = []

    def has_progressed(self):
        progress, self.progress = self.progress, False
        return progress

    def wants_room(self, fragment):
        self.asked.append(fragment)
        return self.crowded

    def look_after(self, backlog):
        assert isinstance(backlog, Backlog)
        return self.behind

    def give_up(self, reason):
        self.reasons.append(reason)


@pytest.fixture
def channel():
    return Channel()


@pytest.fixture
def backlog(channel):
    return Backlog(channel)


def waiters(backlog) -> int:
    return len(backlog._room._waiters)


class TestWaiting:
    @pytest.mark.parametrize("how", ["freed", "end"])
    def test_until_it_is_told(self, channel, backlog, how):
        calls = [Call(backlog.wait, seconds) for seconds in (None, 1e12)]
        wait_until(lambda: waiters(backlog) == 2)
        getattr(backlog, how)()
        assert [call.end() for call in calls] == [None, None]
        assert channel.asked == [False, False]

    def test_not_for_room_that_there_is(self, channel, backlog):
        channel.crowded = False
        backlog.wait(None, fragment=True)
        assert channel.asked == [True]

    def test_not_behind_the_end(self, channel, backlog):
        backlog.end()
        backlog.wait(None)
        assert channel.asked == []

    def test_not_longer_than_that(self, backlog):
        backlog.wait(0.001)
        assert waiters(backlog) == 0


class TestExcess:
    def test_counts_what_was_there_before(self, backlog):
        assert [backlog.exceed(100, 1000, 250) for _ in range(4)] == [False, False, False, True]

    def test_forgets_what_has_been_read(self, backlog):
        """The last to come are the last to leave."""
        backlog.exceed(300, 1000, 250)
        assert not backlog.exceed(100, 250, 250)
        assert backlog.exceed(100, 400, 250)
        assert not backlog.exceed(0, 0, 250)
        assert not backlog.exceed(0, 1000, 0)

    def test_has_no_limit_if_there_is_none(self, backlog):
        assert not any(backlog.exceed(1 << 40, 1 << 50, None) for _ in range(5))

    def test_a_limit_of_0_lets_one_through(self, backlog):
        assert [backlog.exceed(1, 1000, 0) for _ in range(2)] == [False, True]


class TestLooking:
    def test_gives_up_who_has_taken_nothing_for_so_long(self, channel, backlog):
        backlog.watch()
        for _ in range(3):
            channel.timers.fire()
            assert channel.reasons == []
        channel.timers.fire()
        assert channel.reasons == ["slow consumer: nothing read within write_timeout 8.0 s"]
        assert sum(channel.timers.seconds) == 8.0
        assert channel.timers.callbacks == []

    def test_begins_anew_with_all_that_is_taken(self, channel, backlog):
        backlog.watch()
        for _ in range(10):
            for _ in range(3):
                channel.timers.fire()
            channel.progress = True
            channel.timers.fire()
        assert channel.reasons == []

    def test_without_a_timeout_nobody_is_given_up(self, backlog, channel):
        channel.write_timeout = None
        backlog.watch()
        for _ in range(100):
            channel.timers.fire()
        assert channel.reasons == []
        assert set(channel.timers.seconds) == {2.5}

    def test_is_done_once(self, backlog, channel):
        backlog.watch()
        backlog.watch()
        assert len(channel.timers.callbacks) == 1

    @pytest.mark.parametrize("how", ["retired", "over", "nothing left"])
    def test_ends(self, backlog, channel, how):
        backlog.watch()
        look = channel.timers.callbacks[0]
        if how == "over":
            backlog.end()
            assert channel.timers.callbacks == []
            backlog.watch()
            look()
        else:
            channel.retired = how == "retired"
            channel.behind = False
            channel.timers.fire()
        assert channel.timers.callbacks == []
        assert channel.reasons == []

    def test_does_not_begin_behind_the_end_of_the_connection(self, backlog, channel):
        channel.retired = True
        backlog.watch()
        assert channel.timers.callbacks == []


class TestPatience:
    def test_is_refused_inside(self):
        assert may_wait()
        with nobody_waits():
            assert not may_wait()
            with nobody_waits():
                assert not may_wait()
            assert not may_wait()
        assert may_wait()

    def test_is_each_threads_own(self):
        found = []
        with nobody_waits():
            thread = threading.Thread(target=lambda: found.append(may_wait()))
            thread.start()
            thread.join()
        assert found == [True]

    def test_comes_back_in_whatever_order_they_leave(self):
        """Greenlets have the same thread in turns."""
        first, second = nobody_waits(), nobody_waits()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert not may_wait()
        second.__exit__(None, None, None)
        assert may_wait()
