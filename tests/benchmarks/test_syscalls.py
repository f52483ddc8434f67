from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from benchmarks import syscalls
from benchmarks.failure import MeasurementError, UnavailableError

TABLE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 52.94    0.000009           0        40           sendto
 47.06    0.000008           0        41         1 recvfrom
  0.00    0.000000           0         2           epoll_wait
------ ----------- ----------- --------- --------- ------------------
100.00    0.000017           0        83         1 total
"""


def test_calls_are_read_by_name():
    assert syscalls.parse(TABLE) == {"sendto": 40, "recvfrom": 41, "epoll_wait": 2}


def test_tables_of_several_processes_are_added():
    assert syscalls.parse(TABLE * 2)["recvfrom"] == 82


@pytest.mark.parametrize("text", ["", "strace: something went wrong here today\n"])
def test_no_table_is_no_calls(text):
    assert syscalls.parse(text) == {}


def test_a_missing_strace_is_installed_or_told(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(syscalls.commands, "step", lambda *arguments: asked.append(arguments))
    syscalls.available(tmp_path)
    ((_, command, _),) = asked
    assert command[-1] == "strace"


@pytest.fixture
def strace(tmp_path, monkeypatch):
    """Puts a program in strace's place."""
    if sys.platform != "linux":
        pytest.skip("the benchmarks run on Linux only")

    def put(body):
        program = tmp_path / "strace"
        program.write_text(f"#!{sys.executable}\nimport signal, sys, time\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


ATTACHES = f"""
def ended(*_):
    open(sys.argv[sys.argv.index('-o') + 1], 'w').write({TABLE!r})
    sys.exit()
signal.signal(signal.SIGINT, ended)
for pid in sys.argv[sys.argv.index('-p')::2]:
    print('strace: Process', pid, 'attached', file=sys.stderr, flush=True)
time.sleep(60)
"""


def core():
    return min(os.sched_getaffinity(0))


def test_it_counts_from_attaching_to_the_interrupt(strace, tmp_path):
    strace(ATTACHES)
    with syscalls.counted([1, 2], core(), tmp_path / "table") as counts:
        assert counts == {}
    assert counts == syscalls.parse(TABLE)


def test_one_that_cannot_attach_is_told(strace, tmp_path):
    strace("sys.exit('strace: attach: ptrace: Operation not permitted')")
    counting = syscalls.counted([1], core(), tmp_path / "table")
    with pytest.raises(MeasurementError, match="not permitted"):
        counting.__enter__()


def test_one_that_writes_nothing_is_told(strace, tmp_path):
    strace(ATTACHES.replace("open(", "str(").replace(".write", ".count"))
    counting = syscalls.counted([1], core(), tmp_path / "table")
    counting.__enter__()
    with pytest.raises(UnavailableError, match="no table"):
        counting.__exit__(None, None, None)


def test_the_real_one_sees_the_calls_of_a_process(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("no strace here; `make bench` installs it")
    asleep = "import sys, os\nwhile sys.stdin.buffer.raw.read(1): os.getppid()"
    with subprocess.Popen([sys.executable, "-c", asleep], stdin=subprocess.PIPE) as process:
        try:
            with syscalls.counted([process.pid], core(), tmp_path / "table") as counts:
                process.stdin.write(b"x" * 20)
                process.stdin.close()
                process.wait(20)
        finally:
            process.kill()
    assert counts["getppid"] == 20
