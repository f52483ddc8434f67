"""A server of the battery in a process of its own, and what can be asked of it."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import ws4py
from tests.servers import old_gunicorn
from tests.support.raw import RawClient
from tests.support.records import RecordClient
from tests.support.tls import certificates
from tests.support.waiting import DEADLINE, wait_until

_SOURCE = pathlib.Path(ws4py.__file__).parent
_TRACEBACK = re.compile(r"^Traceback .*\n(?:[ ].*\n)*.*", re.MULTILINE)
_COLLECTED = re.compile(r"_pyio\.py.* in __del__\n(?:.*\n)*.*cheroot.makefile\.py")
_SERVING = re.compile(r"https?://127\.0\.0\.1:(\d+)")


class ServedProcess:
    """A started server; as a context manager it is ended whatever happens."""

    def __init__(self, kind, tls, folder, *options) -> None:
        if kind.path:
            old_gunicorn.require()
        self.kind = kind
        self.tls = certificates().client_context() if tls else None
        self.output = folder / "output.txt"
        # Appended to, as by the server that opens it once more for its own log: otherwise
        # they would write over each other.
        with self.output.open("ab") as sink:
            self.process = subprocess.Popen(
                [*kind.arguments(tls), *options],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(kind.path, folder),
            )
        self.port = self.pid = 0

    def __enter__(self):
        try:
            self._wait_for_worker()
        except BaseException:
            # Nobody else would end it.
            self.__exit__()
            raise
        return self

    def _wait_for_worker(self) -> None:
        wait_until(lambda: _SERVING.search(self.text()) or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        self.port = int(_SERVING.search(self.text())[1])
        # Of a worker, where the server has some.
        self.pid = self.status()["pid"]

    def __exit__(self, *exception) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def tracebacks(self) -> list[str]:
        """All but those of cheroot's writers.

        From Python 3.13 on these complain, when they are collected at some time or other, of
        what they could not write to a client that was gone.
        """
        return [each for each in _TRACEBACK.findall(self.text()) if not _COLLECTED.search(each)]

    def own_tracebacks(self) -> list[str]:
        """Those that went through ws4py, unless they are of a program's mistake on purpose."""
        ours = [each for each in self.tracebacks() if str(_SOURCE) in each]
        return [each for each in ours if "a check's own mistake" not in each]

    def client(self) -> RawClient:
        return RawClient(("127.0.0.1", self.port), self.tls)

    def plain_client(self) -> RawClient:
        """A connection on which TLS, where there should be any, has not begun."""
        return RawClient(("127.0.0.1", self.port))

    def record_client(self) -> RecordClient:
        """A connection whose TLS records are the test's."""
        return RecordClient(("127.0.0.1", self.port), self.tls)

    def connect(self, behind=b"", **changes) -> RawClient:
        """An upgraded connection."""
        client = self.client()
        response = client.upgrade(behind=behind, **changes)
        assert response.status == 101, (response, client.body)
        return client

    def get(self, path="/") -> bytes:
        """The body of an ordinary page."""
        with self.client() as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert client.read_response().status == 200
            return client.body

    def status(self) -> dict:
        return json.loads(self.get("/status"))

    def all_closed(self) -> bool:
        status = self.status()
        return status["opened"] == status["closed"]

    def descriptors(self) -> dict[str, str]:
        """What the process that serves has open."""
        folder = pathlib.Path(f"/proc/{self.pid}/fd")
        found = {}
        for entry in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[entry.name] = str(entry.readlink())
        return found

    def threads(self) -> int:
        return sum(1 for _ in pathlib.Path(f"/proc/{self.pid}/task").iterdir())

    def signal(self, number=signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status."""
        return self.process.wait(DEADLINE)


def _environment(first, folder) -> dict:
    """The test's own environment, in which a child finds ws4py too.

    :param first: a folder whose packages are preferred.
    :param folder: where gunicorn puts its control socket, which otherwise is one for
        all of a user's.
    """
    places = [first, str(_SOURCE.parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, places))
    return {**os.environ, "PYTHONPATH": path, "XDG_RUNTIME_DIR": str(folder)}
