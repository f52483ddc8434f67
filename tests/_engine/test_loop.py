"""The loop alone, with entries that only write down what they are told."""

import os
import socket
import threading

import pytest

from tests.support.waiting import DEADLINE, wait_until
from ws4py._engine.loop import Loop
from ws4py._engine.pollers import BROKEN, READ, WRITE, EPollPoller, SelectPoller, adapt


class Entry:
    """A descriptor that is read, and what it was told."""

    def __init__(self, loop, sock) -> None:
        self.loop = loop
        self.sock = sock
        self.fd = sock.fileno()
        self.retired = False
        self.seen = []

    def has_descriptor(self):
        return self.sock.fileno() == self.fd

    def follows(self, call):
        return False

    def started(self):
        self.seen.append("started")

    def on_ready(self, events):
        self.seen.append(events)
        if events & (READ | BROKEN) and self.sock.recv(100) == b"":
            self.end()

    def say_goodbye(self, code, reason):
        self.seen.append((code, reason))

    def end(self):
        if not self.retired:
            self.retired = True
            self.seen.append("end")
            self.loop.forget(self)

    def expire(self):
        self.seen.append("expire")
        self.end()


class Running:
    """A loop in a thread, and those that have left it."""

    def __init__(self, make_poller=EPollPoller) -> None:
        self.left = []
        self.loop = Loop(make_poller, self.left.append)
        self.thread = threading.Thread(target=self.loop.run)
        self.ends = []

    def entry(self, cls=Entry):
        mine, theirs = socket.socketpair()
        self.ends += [mine, theirs]
        entry = cls(self.loop, mine)
        return entry, theirs

    def adopt(self, cls=Entry):
        entry, theirs = self.entry(cls)
        assert self.loop.adopt(entry)
        wait_until(lambda: entry.seen)
        return entry, theirs


@pytest.fixture(name="running", params=[EPollPoller, SelectPoller])
def fixture_running(request):
    running = Running(request.param)
    running.thread.start()
    yield running
    running.loop.stop(0)
    running.thread.join(DEADLINE)
    assert not running.thread.is_alive()
    for end in running.ends:
        end.close()


def test_tells_what_is_ready(running):
    entry, theirs = running.adopt()
    theirs.send(b"x")
    wait_until(lambda: entry.seen == ["started", READ])
    theirs.close()
    wait_until(lambda: entry.seen[-1] == "end")
    assert running.left == [entry]


def test_posted_calls_are_made_in_order_on_its_thread(running):
    seen = []
    for number in range(100):
        assert running.loop.post(
            lambda number=number: seen.append((number, threading.current_thread()))
        )
    wait_until(lambda: len(seen) == 100)
    assert seen == [(number, running.thread) for number in range(100)]
    assert not running.loop.is_current()


def test_posted_from_its_own_thread(running):
    seen = []

    def again(count):
        seen.append(running.loop.is_current())
        if count:
            running.loop.post(lambda: again(count - 1))

    running.loop.post(lambda: again(5))
    wait_until(lambda: seen == [True] * 6)


def test_posted_by_a_signals_handler(running):
    """It interrupts its own thread anywhere, in the middle of post() as well."""
    done = threading.Event()
    with running.loop._gate:
        assert running.loop.post(done.set)
    assert done.wait(DEADLINE)


def test_posted_while_another_wakes_the_loop(running, monkeypatch):
    """The system call lets go of the GIL: who posts meanwhile must not wait for its end."""
    wakeup, done = running.adopt()[0].loop._wakeup, threading.Event()
    write = wakeup._write

    def slow_write():
        monkeypatch.setattr(wakeup, "_write", write)
        second = threading.Thread(target=running.loop.post, args=(done.set,))
        second.start()
        second.join(DEADLINE)
        assert not second.is_alive()
        write()

    monkeypatch.setattr(wakeup, "_write", slow_write)
    assert running.loop.post(int)
    assert done.wait(DEADLINE)


def test_posted_call_that_raises(running, caplog):
    seen = []
    running.loop.post(lambda: 1 / 0)
    running.loop.post(lambda: seen.append(1))
    wait_until(lambda: seen)
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


def test_timers(running, caplog):
    seen = []

    def arm():
        running.loop.timers.after(0.02, lambda: seen.append("second"))
        running.loop.timers.after(0.01, lambda: 1 / 0)
        running.loop.timers.after(0, lambda: seen.append("first"))

    running.loop.post(arm)
    wait_until(lambda: seen == ["first", "second"])
    assert len(caplog.records) == 1


def test_again(running):
    """Served once more without waiting, once however often it asked."""

    class Greedy(Entry):
        def on_ready(self, events):
            self.seen.append(events)
            if self.sock.recv(1) != b"3":
                self.loop.again(self)
                self.loop.again(self)
                self.loop.watch(self, 0)

    entry, theirs = running.entry(Greedy)
    theirs.send(b"123")
    running.loop.adopt(entry)
    wait_until(lambda: len(entry.seen) == 4)
    turn = threading.Event()
    running.loop.post(lambda: running.loop.post(turn.set))
    assert turn.wait(DEADLINE)
    assert entry.seen == ["started", READ, READ, READ]


def test_again_of_one_that_has_left(running):
    class Leaving(Entry):
        def on_ready(self, events):
            self.seen.append(events)
            self.loop.again(self)
            self.end()

    entry, theirs = running.adopt(Leaving)
    theirs.send(b"x")
    wait_until(lambda: running.left == [entry])
    turn = threading.Event()
    running.loop.post(lambda: running.loop.post(turn.set))
    assert turn.wait(DEADLINE)
    assert entry.seen == ["started", READ, "end"]


def test_watch(running):
    entry, _ = running.adopt()
    running.loop.post(lambda: running.loop.watch(entry, WRITE))
    wait_until(lambda: WRITE in entry.seen)
    running.loop.post(lambda: running.loop.watch(entry, 0))


def test_watch_of_a_closed_descriptor():
    running = Running(EPollPoller)
    running.thread.start()
    entry, _ = running.adopt()
    entry.sock.close()
    running.loop.post(lambda: running.loop.watch(entry, WRITE))
    wait_until(lambda: entry.retired)
    running.loop.stop(0)
    running.thread.join(DEADLINE)
    for end in running.ends:
        end.close()


def test_internal_error_costs_one_entry(running, caplog):
    class Broken(Entry):
        def on_ready(self, events):
            raise ZeroDivisionError

    entry, theirs = running.adopt(Broken)
    other, other_theirs = running.adopt()
    theirs.send(b"x")
    wait_until(lambda: entry.retired)
    assert entry.seen == ["started", "expire", "end"]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError
    other_theirs.send(b"x")
    wait_until(lambda: other.seen == ["started", READ])


def test_retired_before_it_was_registered(running):
    entry, _ = running.entry()
    entry.retired = True
    running.loop.adopt(entry)
    wait_until(lambda: running.left == [entry])
    assert entry.seen == []


def test_closed_before_it_was_registered(running):
    entry, _ = running.entry()
    entry.sock.close()
    running.loop.adopt(entry)
    wait_until(lambda: running.left == [entry])
    assert entry.seen == ["expire", "end"]


def test_refused_by_the_poller():
    class Refusing(SelectPoller):
        def register(self, fd):
            if fd in refused:
                raise ValueError("mine")
            super().register(fd)

    refused = set()
    running = Running(Refusing)
    running.thread.start()
    entry, _ = running.entry()
    refused.add(entry.fd)
    running.loop.adopt(entry)
    wait_until(lambda: running.left == [entry])
    assert entry.seen == ["end"]
    running.loop.stop(0)
    running.thread.join(DEADLINE)
    for end in running.ends:
        end.close()


def test_number_that_came_again(running):
    entry, _ = running.adopt()
    mine, theirs = socket.socketpair()
    running.ends += [mine, theirs]
    entry.sock.close()
    os.dup2(mine.fileno(), entry.fd)
    successor = Entry(running.loop, socket.socket(fileno=entry.fd))
    running.ends.append(successor.sock)
    running.loop.adopt(successor)
    wait_until(lambda: successor.seen)
    assert entry.seen[-1] == "end"
    theirs.send(b"x")
    wait_until(lambda: successor.seen == ["started", READ])


class TestStopping:
    def test_refuse_tells_everybody_and_who_comes(self, running):
        entry, _ = running.adopt()
        running.loop.refuse(1001, "bye")
        running.loop.refuse(1002, "not again")
        wait_until(lambda: entry.seen == ["started", (1001, "bye")])
        late, _ = running.adopt()
        wait_until(lambda: late.seen == ["started", (1001, "bye")])
        assert running.thread.is_alive()

    def test_stop_waits_for_those_who_leave(self, running):
        entry, theirs = running.adopt()
        running.loop.stop(DEADLINE)
        running.loop.stop(0)
        turn = threading.Event()
        running.loop.post(turn.set)
        assert turn.wait(DEADLINE)
        assert running.thread.is_alive()
        theirs.close()
        running.thread.join(DEADLINE)
        assert entry.seen == ["started", READ | BROKEN, "end"]

    def test_stop_expires_those_who_stay(self, running):
        entry, _ = running.adopt()
        running.loop.stop(0.05)
        late, _ = running.adopt()
        running.thread.join(DEADLINE)
        assert entry.seen == late.seen == ["started", "expire", "end"]

    def test_afterwards_nothing_is_taken(self, running):
        running.loop.stop(0)
        running.thread.join(DEADLINE)
        assert not running.loop.post(list)
        entry, _ = running.entry()
        assert not running.loop.adopt(entry)
        assert not running.loop.refuse(1001, "")
        assert not running.loop.stop(0)

    def test_posted_at_the_last_moment(self, running):
        """What post() has taken is done, whatever the loop was at."""

        class Late(Entry):
            def end(self):
                if not self.retired:
                    running.loop.post(lambda: self.seen.append("posted"))
                super().end()

        entry, _ = running.adopt(Late)
        running.loop.stop(0)
        running.thread.join(DEADLINE)
        assert entry.seen[-1] == "posted"


class TestTrouble:
    def test_poller_that_cannot_bear_a_closed_descriptor(self):
        class Touchy:
            def __init__(self):
                self.fds = set()

            def register(self, fd):
                self.fds.add(fd)

            def unregister(self, fd):
                self.fds.discard(fd)

            def release(self):
                pass

            def poll(self):
                threading.Event().wait(0.01)
                for fd in self.fds:
                    os.fstat(fd)
                return []

        running = Running(lambda: adapt(Touchy()))
        running.thread.start()
        entry, _ = running.adopt()
        other, _ = running.adopt()
        entry.sock.close()
        wait_until(lambda: entry.retired)
        assert other.seen == ["started"]
        running.loop.stop(0)
        running.thread.join(DEADLINE)
        for end in running.ends:
            end.close()

    @pytest.mark.parametrize("how", ["no poller", "no wakeup", "wait"])
    def test_whatever_ends_it_nothing_is_left(self, how, monkeypatch):
        class Broken(SelectPoller):
            def wait(self, timeout):
                raise OSError(22, "of no use")

        def refuse():
            raise OSError(24, "Too many open files")

        errors = []
        monkeypatch.setattr(threading, "excepthook", errors.append)
        if how == "no wakeup":
            monkeypatch.setattr("ws4py._engine.loop.Wakeup", refuse)
        running = Running(refuse if how == "no poller" else Broken)
        entry, _ = running.entry()
        running.loop.adopt(entry)
        running.thread.start()
        running.thread.join(DEADLINE)
        assert entry.retired
        assert running.left == [entry]
        assert [error.exc_type for error in errors] == [OSError]
        assert not running.loop.post(list)
        for end in running.ends:
            end.close()
