"""Waking by a descriptor, both ways of it."""

import os
import select

import pytest

from tests.support.serving import is_closed
from ws4py._engine.wakeup import Wakeup


@pytest.fixture(name="wakeup", params=["eventfd", "socketpair"])
def fixture_wakeup(request, monkeypatch):
    if request.param == "socketpair":
        monkeypatch.delattr(os, "eventfd", raising=False)
    elif not hasattr(os, "eventfd"):
        pytest.skip("this system has no eventfd")
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()
    assert is_closed(wakeup.fd)


def is_readable(wakeup):
    return bool(select.select([wakeup.fd], [], [], 0)[0])


def test_readable_until_drained(wakeup):
    assert not is_readable(wakeup)
    wakeup.drain()
    wakeup.wake()
    wakeup.wake()
    assert is_readable(wakeup)
    wakeup.drain()
    assert not is_readable(wakeup)


def test_full_is_no_error(wakeup):
    for _ in range(100_000 if wakeup._pair else 10):
        wakeup.wake()
    assert is_readable(wakeup)
    while is_readable(wakeup):
        wakeup.drain()


def test_closed_under_who_is_waking():
    """The number of the descriptor may be another's as soon as it is closed."""
    wakeup = Wakeup()
    write = wakeup._write

    def close_and_write():
        wakeup.close()
        assert not is_closed(wakeup.fd)
        write()

    wakeup._write = close_and_write
    wakeup.wake()
    assert is_closed(wakeup.fd)


def test_woken_when_it_is_closed():
    wakeup = Wakeup()
    wakeup.close()
    wakeup._write = None
    wakeup.wake()
