"""What an idle websocket costs under gevent."""

import pathlib
import re
import resource

import pytest

from tests.servers.fleet import FLEET
from tests.servers.process import ServedProcess
from tests.support.raw import RawClient
from tests.support.waiting import wait_until

_COUNT = 10_000
_WARM_UP = 500
#: KiB of the process for each websocket, its environ included.
_LIMIT = 4


def resident(process) -> int:
    """KiB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


@pytest.fixture
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _COUNT + _WARM_UP + 200
    if before[1] < wanted:
        pytest.skip(f"the system allows {before[1]} descriptors, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.slow
@pytest.mark.usefixtures("many_descriptors")
def test_ten_thousand_idle_websockets_under_gevent(tmp_path):
    kind = next(each for each in FLEET if each.name == "gevent")
    clients: list[RawClient] = []
    with ServedProcess(kind, False, tmp_path) as process:
        try:
            clients += [process.connect() for _ in range(_WARM_UP)]
            wait_until(lambda: process.status()["opened"] == _WARM_UP)
            before = resident(process)
            clients += [process.connect() for _ in range(_COUNT)]
            wait_until(lambda: process.status()["opened"] == _WARM_UP + _COUNT)
            each = (resident(process) - before) / _COUNT
        finally:
            for client in clients:
                client.sock.close()
        wait_until(process.all_closed)
        assert each <= _LIMIT
