"""Nothing raised crosses the border."""

import pytest

from ws4py._engine.guard import guarded
from ws4py.exc import ConnectionClosed


def fail(error):
    raise error


def test_result():
    assert guarded(divmod, 7, 2) == (3, 1)


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(1)])
def test_raised(error, caplog):
    assert guarded(fail, error) is None
    assert guarded(fail, error, raised="raised") == "raised"
    assert [record.exc_info[1] for record in caplog.records] == [error, error]
    assert caplog.records[0].getMessage() == "fail raised"


def test_lost_race_is_no_error(caplog):
    assert guarded(fail, ConnectionClosed("late"), raised="raised") is None
    assert not caplog.records


def test_interrupts_pass():
    with pytest.raises(KeyboardInterrupt):
        guarded(fail, KeyboardInterrupt())


def test_callable_without_a_name(caplog):
    class Odd:
        def __call__(self):
            raise ValueError("mine")

        def __str__(self):
            return "an odd one"

    guarded(Odd())
    assert caplog.records[0].getMessage() == "an odd one raised"
