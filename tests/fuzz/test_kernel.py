"""The kernel with bad days: it does what it says, the engine bears it, and a mistake is found."""

import subprocess
import sys

import pytest

from fuzz import jobs
from fuzz.kernel import shim
from fuzz.places import ROOT, SOURCES
from tests.support import twins

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's calls")


@pytest.fixture(scope="session", name="library")
def fixture_library(tmp_path_factory):
    try:
        shim.compiler()
    except shim.UnavailableError as error:
        pytest.skip(str(error))
    return shim.library(tmp_path_factory.mktemp("kernel"))


def run(library, program, pure=""):
    """Run a program on that kernel."""
    variables = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "LD_PRELOAD": str(library),
        "WS4PY_PURE_PYTHON": pure,
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.usefixtures("library")
def test_no_warnings(tmp_path):
    strict = ("-Wshadow", "-Wconversion", "-Wno-sign-conversion", "-Werror")
    flags = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", *strict)
    source = str(SOURCES / "kernel.c")
    command = [shim.compiler(), *flags, "-o", str(tmp_path / "kernel.so"), source]
    subprocess.run(command, check=True, timeout=100)


@pytest.mark.usefixtures("library")
def test_it_is_built_once(tmp_path):
    first = shim.library(tmp_path)
    before = first.stat().st_mtime_ns
    assert shim.library(tmp_path) == first
    assert first.stat().st_mtime_ns == before
    assert list(tmp_path.iterdir()) == [first]


def test_without_it_there_is_none():
    with pytest.raises(shim.UnavailableError, match="not preloaded"):
        shim.Kernel()


CALLS = """
import errno, os, select, socket
from fuzz.kernel.shim import Kernel
kernel = Kernel()
kernel.begin(1, 0)
ours, peer = socket.socketpair()
ours.setblocking(False)
kernel.arm(ours.fileno(), 3, 7, 1000, 0, no_room=False)
peer.send(b"x" * 1000)
seen = set()
for _ in range(200):
    try:
        seen.add("short" if len(ours.recv(1000)) < 1000 else "whole")
    except BlockingIOError:
        seen.add("EAGAIN")
    try:
        sent = ours.sendmsg([b"y" * 500, b"z" * 500])
        assert peer.recv(sent) == (b"y" * 500 + b"z" * 500)[:sent]
        seen.add("short" if sent < 1000 else "whole")
    except BlockingIOError:
        seen.add("EAGAIN")
assert {"short", "EAGAIN"} <= seen and "whole" not in seen, seen
assert not kernel.fatal(3)
other, _ = pair = socket.socketpair()
kernel.arm(other.fileno(), 4, 7, 0, 10000, no_room=True)
try:
    other.recv(1)
except (ConnectionResetError, TimeoutError):
    assert other.recv(1) == b""
    try:
        other.send(b"x")
    except BrokenPipeError:
        assert kernel.fatal(4)
        print("told")
with select.epoll() as epoll:
    try:
        epoll.register(other.fileno())
    except OSError as error:
        print(errno.errorcode[error.errno])
kernel.refuse(1)
try:
    select.epoll()
except OSError as error:
    print(errno.errorcode[error.errno])
select.epoll().close()
# A number that is another's now is not armed any more.
other.close()
again, rest = socket.socketpair()
rest.send(b"whole")
print(again.recv(5))
"""


def test_it_does_what_it_says(library):
    done = run(library, CALLS)
    assert done.stdout.split() == ["told", "ENOSPC", "EMFILE", "b'whole'"], done.stderr


def some_seeds(before=""):
    return f"{before}\nfrom fuzz.kernel.child import main\nimport sys\nmain(sys.argv[-1], 0, 12)"


@pytest.mark.parametrize("build", jobs.BUILDS)
def test_some_seeds_hold(library, build):
    if build == "compiled":
        twins.compiled("ws4py._engine.lane_c")
    program = some_seeds(f"import sys; sys.argv.append({build!r})")
    done = run(library, program, pure="1" if build == "pure" else "")
    assert done.returncode == 0, done.stderr
    assert "12 seeds" in done.stdout


LOSES_A_BYTE = """
import sys; sys.argv.append("pure")
from ws4py._engine.outbox import Outbox
take = Outbox.take
Outbox.take = lambda outbox, count: take(outbox, min(count + 1, len(outbox.head())))
"""
FORGETS_TO_CLOSE = """
import sys; sys.argv.append("pure")
from ws4py._transport import PlainTransport
PlainTransport.close = lambda transport: None
"""
ENDS_TWICE = """
import sys; sys.argv.append("pure")
from fuzz.kernel import scenario
closed = scenario.Echo.closed
scenario.Echo.closed = lambda *said: [closed(*said), closed(*said)]
"""


@pytest.mark.parametrize("mistake", [LOSES_A_BYTE, FORGETS_TO_CLOSE, ENDS_TWICE])
def test_a_mistake_is_found(library, mistake):
    done = run(
        library,
        f"{mistake}\nfrom fuzz.kernel import scenario\nscenario.DEADLINE = 3.0\n" + some_seeds(),
        pure="1",
    )
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    # Who started it reads there which seed it was.
    assert "seed " in done.stdout.splitlines()[-1]
