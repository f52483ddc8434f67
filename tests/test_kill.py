"""Which errors are no callback's own."""

import asyncio

import gevent
import pytest

from ws4py._kill import is_kill


@pytest.mark.parametrize("error", [KeyboardInterrupt, gevent.GreenletExit])
def test_those_that_end_a_thread_or_greenlet(error):
    assert is_kill(error())
    assert is_kill(type("Own", (error,), {})())


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, gevent.Timeout])
def test_all_others_are(error):
    assert not is_kill(error())
