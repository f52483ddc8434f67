from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import usage

# Works for a while in a thread that ends, then starts a child that works, then waits.
PARENT = """
import subprocess, sys, threading, time
def work():
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
thread = threading.Thread(target=work)
thread.start()
thread.join()
if sys.argv[1:]:
    child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE)
print('worked', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent():
    """A process with a child, both having worked."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        # Both have the same output; each tells once.
        process.stdout.readline()
        process.stdout.readline()
        yield process.pid
        # Its child reads a pipe of its own, which ends with it.
        process.stdin.close()
        process.wait(20)


def test_a_tree_is_a_process_and_its_descendants(parent):
    found = usage.tree(parent)
    assert found[0] == parent
    assert len(found) == 2
    assert parent in usage.tree(os.getpid())
    assert usage.tree(found[1]) == [found[1]]


def test_the_time_of_ended_threads_and_of_children_counts(parent):
    pids = usage.tree(parent)
    alone, both = usage.cpu([parent]), usage.cpu(pids)
    assert alone.total >= 0.2
    assert both.total >= 0.4
    assert both.user + both.system > alone.user + alone.system


def test_memory_is_that_of_all(parent):
    pids = usage.tree(parent)
    assert usage.rss(pids) == sum(usage.rss([pid]) for pid in pids)
    assert all(usage.rss([pid]) > 1 << 20 for pid in pids)


def test_a_process_that_has_ended_has_no_clock():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    with pytest.raises(OSError, match=str(process.pid)):
        usage.cpu([process.pid])
