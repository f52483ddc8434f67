"""A CherryPy server in a process of its own: for signals, daemons, restarts, memory.

Everything it prints goes into one file, where a test looks for what it waits for.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys

import ws4py
from tests.support.raw import RawClient
from tests.support.waiting import DEADLINE, wait_until

PROGRAMS = pathlib.Path(__file__).parents[1] / "server" / "cherrypy" / "programs"
_SERVING = re.compile(r"Serving on https?://127\.0\.0\.1:(\d+)")
_KIB = 1024


class ServerProcess:
    """A started program; as a context manager it is ended whatever happens.

    :param program: a file in ``programs``, or a path.
    :param folder: where its output goes, a test's ``tmp_path``.
    """

    def __init__(self, program, folder, *arguments) -> None:
        self.output = folder / "output.txt"
        with self.output.open("ab") as sink:
            self.process = subprocess.Popen(
                # Output that is not buffered, so that what was printed is there.
                [sys.executable, "-u", str(PROGRAMS / program), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(),
            )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def opened(self) -> list:
        """The numbers of the websockets that were opened."""
        return [line.split()[1] for line in self._lines("opened ")]

    def closed(self, code=None) -> list:
        """The numbers of those that were closed, with this code or with any."""
        told = [line.split()[1:] for line in self._lines("closed ")]
        return [number for number, given in told if code is None or given == str(code)]

    def _lines(self, start) -> list:
        return [line for line in self.text().splitlines() if line.startswith(start)]

    def port(self, start=0) -> int:
        """The port of the given start, 0 for the first; waits for it."""
        wait_until(lambda: len(self._ports()) > start or self.process.poll() is not None)
        ports = self._ports()
        assert len(ports) > start, self.text()
        return int(ports[start])

    def _ports(self) -> list:
        return _SERVING.findall(self.text())

    def client(self, start=0) -> RawClient:
        return RawClient(("127.0.0.1", self.port(start)))

    def connect(self, path="/ws", behind=b"", start=0, **changes) -> RawClient:
        """An upgraded connection."""
        client = self.client(start)
        assert client.upgrade(path, behind, **changes).status == 101, client.body
        return client

    def signal(self, number=signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status."""
        return self.process.wait(DEADLINE)

    def descriptors(self) -> int:
        return len(list(pathlib.Path(f"/proc/{self.pid}/fd").iterdir()))

    def threads(self) -> int:
        return len(list(pathlib.Path(f"/proc/{self.pid}/task").iterdir()))

    def memory(self) -> int:
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * _KIB


def environment() -> dict:
    """The test's own environment, in which a child finds ws4py and the tests' parts too."""
    places = [
        str(pathlib.Path(ws4py.__file__).parents[1]),
        str(pathlib.Path(__file__).parents[2]),
        os.environ.get("PYTHONPATH", ""),
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def has_ended(pid) -> bool:
    """Whether a process that is not our child has ended; nobody may have collected it yet."""
    try:
        return b") Z " in pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
