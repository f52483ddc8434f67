"""Which errors are no callback's own."""

import asyncio

import gevent
import pytest

from ws4py._kill import is_kill, passes


@pytest.mark.parametrize("error", [KeyboardInterrupt, gevent.GreenletExit])
def test_those_that_end_a_thread_or_greenlet(error):
    assert is_kill(error())
    assert is_kill(type("Own", (error,), {})())


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, gevent.Timeout])
def test_all_others_are(error):
    assert not is_kill(error())


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, gevent.Timeout])
def test_a_manager_keeps_what_is_no_kill(error):
    assert not passes(error(), managed=True)


@pytest.mark.parametrize("managed", [True, False])
def test_kills_pass(managed):
    assert passes(gevent.GreenletExit(), managed)


def test_a_program_that_serves_by_itself_may_cut_that_off():
    assert passes(gevent.Timeout(), managed=False)
    assert not passes(ValueError(), managed=False)
