from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import cores
from benchmarks.failure import BenchmarkError


@pytest.fixture
def usable(monkeypatch):
    def allow(*numbers):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {*numbers})

    return allow


def test_the_first_two_that_may_be_used(usable):
    usable(3, 7, 5)
    assert cores.choose(None, None) == (3, 5)
    assert cores.choose(7, 3) == (7, 3)


@pytest.mark.parametrize("asked", [(0, 0), (0, 9), (9, 1)])
def test_two_different_ones_that_exist(usable, asked):
    usable(0, 1)
    with pytest.raises(BenchmarkError, match="two different cores"):
        cores.choose(*asked)


def test_one_core_is_not_enough(usable):
    usable(0)
    with pytest.raises(BenchmarkError, match="two cores are needed"):
        cores.choose(None, None)


def test_programs_started_there_stay_there():
    before = os.sched_getaffinity(0)
    core = max(before)
    tell = "import os; print(*os.sched_getaffinity(0))"
    with cores.on(core):
        done = subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True)
    assert done.stdout.split() == [str(core).encode()]
    assert os.sched_getaffinity(0) == before
