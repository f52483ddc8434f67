"""Readiness, by ours and by pollers of programs."""

import select
import socket
import types
from unittest.mock import MagicMock

import pytest

from ws4py._engine import pollers as module
from ws4py._engine.pollers import (
    BROKEN,
    READ,
    WRITE,
    EPollPoller,
    KQueuePoller,
    SelectPoller,
    adapt,
    default_poller,
)


class FakeKQueue:
    """The kqueue of BSD, over a poll object."""

    def __init__(self) -> None:
        self.closed = False
        self.filters = set()

    def close(self):
        self.closed = True

    def control(self, changes, count, timeout=None):
        for event in changes or ():
            entry = (event.ident, event.filter)
            if event.flags == "add":
                self.filters.add(entry)
            elif entry in self.filters:
                self.filters.remove(entry)
            else:
                raise FileNotFoundError(2, "no such filter")
        if not count:
            return []
        poller = select.poll()
        for fd in {fd for fd, _ in self.filters}:
            mask = select.POLLIN * ((fd, "read") in self.filters)
            poller.register(fd, mask | select.POLLOUT * ((fd, "write") in self.filters))
        found = []
        for fd, mask in poller.poll(None if timeout is None else timeout * 1000):
            found += [types.SimpleNamespace(ident=fd, filter="read")] * bool(mask & select.POLLIN)
            found += [types.SimpleNamespace(ident=fd, filter="write")] * bool(mask & select.POLLOUT)
        return found


@pytest.fixture(name="kqueue")
def fixture_kqueue(monkeypatch):
    fake = types.SimpleNamespace(
        kqueue=FakeKQueue,
        kevent=lambda fd, kind, flag: types.SimpleNamespace(ident=fd, filter=kind, flags=flag),
        KQ_FILTER_READ="read",
        KQ_FILTER_WRITE="write",
        KQ_EV_ADD="add",
        KQ_EV_DELETE="delete",
    )
    monkeypatch.setattr(module, "select", fake)
    return KQueuePoller


@pytest.fixture(name="make", params=["epoll", "select", "select.select", "kqueue"])
def fixture_make(request, monkeypatch):
    if request.param == "kqueue":
        return request.getfixturevalue("kqueue")
    if request.param == "select.select":
        only = types.SimpleNamespace(select=select.select)
        monkeypatch.setattr(module, "select", only)
    return EPollPoller if request.param == "epoll" else SelectPoller


@pytest.fixture(name="poller")
def fixture_poller(make):
    poller = make()
    yield poller
    poller.release()


@pytest.fixture(name="ends")
def fixture_ends():
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_the_four_methods_of_0_6(poller, ends):
    assert poller.timeout == 0.1
    poller.timeout = 0.01
    fd = ends[0].fileno()
    poller.register(fd)
    assert list(poller.poll()) == []
    ends[1].send(b"x")
    assert list(poller.poll()) == [fd]
    assert list(poller.poll()) == [fd], "level-triggered"
    poller.unregister(fd)
    assert list(poller.poll()) == []
    poller.unregister(fd)
    poller.unregister(10_000)


def test_events(poller, ends):
    fd = ends[0].fileno()
    poller.register(fd)
    assert poller.wait(0) == []
    poller.modify(fd, READ | WRITE)
    assert poller.wait(None) == [(fd, WRITE)]
    ends[1].send(b"x")
    assert poller.wait(1) == [(fd, READ | WRITE)]
    poller.modify(fd, READ)
    assert poller.wait(1) == [(fd, READ)]
    poller.modify(fd, 0)
    assert poller.wait(0) == []


def test_many(poller):
    pairs = [socket.socketpair() for _ in range(20)]
    for first, second in pairs:
        poller.register(first.fileno())
        second.send(b"x")
    assert {fd for fd, _ in poller.wait(1)} == {first.fileno() for first, _ in pairs}
    for ends in pairs:
        for end in ends:
            end.close()


def test_release_and_again(make, ends):
    poller = make()
    poller.register(ends[0].fileno())
    poller.release()
    ends[1].send(b"x")
    poller.register(ends[1].fileno())
    ends[0].send(b"y")
    assert [fd for fd, _ in poller.wait(1)] == [ends[1].fileno()]
    poller.release()
    poller.release()


@pytest.mark.parametrize("cls", [EPollPoller, SelectPoller])
def test_both_directions_gone(cls, ends):
    poller = cls()
    fd = ends[0].fileno()
    poller.register(fd)
    poller.modify(fd, 0)
    ends[1].close()
    ends[0].shutdown(socket.SHUT_RDWR)
    assert poller.wait(1) == [(fd, BROKEN)]
    assert poller.poll() == [fd]
    poller.release()


def test_registered_twice():
    """A descriptor may be closed behind our back and its number come again."""
    poller = EPollPoller()
    first, second = socket.socketpair()
    with first, second:
        poller.register(first.fileno())
        poller.modify(first.fileno(), WRITE)
        poller.register(first.fileno())
        assert poller.wait(0) == []
    poller.release()
    poller.unregister(1)


class Old:
    """A program's own, with the four methods."""

    def __init__(self) -> None:
        self.fds = []
        self.released = False

    def register(self, fd):
        self.fds.append(fd)

    def unregister(self, fd):
        self.fds.remove(fd)

    def poll(self):
        return iter(self.fds)

    def release(self):
        self.released = True


def test_adapted():
    old = Old()
    poller = adapt(old)
    poller.register(5)
    poller.register(6)
    assert poller.wait(None) == [(5, READ), (6, READ)]
    poller.modify(5, READ | WRITE)
    poller.modify(6, READ)
    assert poller.wait(0) == [(5, READ | WRITE), (6, READ)]
    poller.unregister(6)
    old.poll = lambda: None
    assert poller.wait(0) == [(5, WRITE)]
    poller.modify(5, READ)
    assert poller.wait(0) == []
    poller.modify(5, WRITE)
    poller.unregister(5)
    assert poller.wait(0) == []
    poller.release()
    assert old.released


def test_ours_need_no_adapting():
    for cls in (EPollPoller, SelectPoller):
        poller = cls()
        assert adapt(poller) is poller
        poller.release()
    mock = MagicMock()
    assert adapt(mock) is mock


def test_default(monkeypatch):
    poller = default_poller()
    assert type(poller) is EPollPoller
    poller.release()
    monkeypatch.setattr(module, "select", types.SimpleNamespace(poll=select.poll))
    assert type(default_poller()) is SelectPoller


def test_default_of_bsd(kqueue):
    assert type(default_poller()) is kqueue


def test_no_kqueue_here():
    with pytest.raises(NotImplementedError):
        KQueuePoller()


def test_waiting_is_for_subclasses():
    with pytest.raises(NotImplementedError):
        module._Poller().poll()
