"""The examples of other servers, started as their own words say."""

import contextlib
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys

import pytest

import ws4py
from tests.support.raw import TEXT, Frame, RawClient, close_frame, frame
from tests.support.waiting import DEADLINE, wait_until

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "servers"
_SOURCE = str(pathlib.Path(ws4py.__file__).parents[1])
_GOODBYE = b"\x03\xe9Server is shutting down"


def free_port() -> int:
    """A port that was free a moment ago; the examples take theirs as an argument."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Example:
    """A started example."""

    def __init__(self, command, log) -> None:
        self.port = free_port()
        self.log = log
        words = shlex.split(command.format(port=self.port))
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-u", *words],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=FOLDER.parents[1],
                # Where gunicorn puts its control socket, one for all of a user's otherwise.
                env={"PYTHONPATH": _SOURCE, "PATH": "", "XDG_RUNTIME_DIR": str(log.parent)},
            )

    def __enter__(self):
        wait_until(lambda: self._listens() or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        return self

    def __exit__(self, *exception) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), self.client():
            return True
        return False

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self) -> RawClient:
        return RawClient(("127.0.0.1", self.port))

    def get(self) -> bytes:
        with self.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.read_response().status == 200, self.text()
            return client.body or client.read(1)


_GUNICORN = "-m gunicorn --chdir examples/servers --bind 127.0.0.1:{{port}} -k {} {}"

_FLASK_BY_GEVENT = """-c "
import gevent, signal, sys
sys.path.insert(0, 'examples/servers')
from flask_app import app
from ws4py.server.geventserver import WSGIServer
server = WSGIServer(('127.0.0.1', {port}), app)
gevent.signal_handler(signal.SIGTERM, server.stop)
server.serve_forever()
" """

#: How each is started, the path of its websocket, and what it says first.
EXAMPLES = {
    "wsgi, wsgiref": ("examples/servers/wsgi_app.py wsgiref {port}", "/ws", None),
    "wsgi, gevent": ("examples/servers/wsgi_app.py gevent {port}", "/ws", None),
    "wsgi, cheroot": ("examples/servers/wsgi_app.py cheroot {port}", "/ws", None),
    "wsgi, Werkzeug": ("examples/servers/wsgi_app.py werkzeug {port}", "/ws", None),
    "wsgi, gunicorn": (_GUNICORN.format("sync", "wsgi_app:application"), "/ws", None),
    "Flask, Werkzeug": ("examples/servers/flask_app.py {port}", "/ws?name=you", b"hello you"),
    "Flask, gunicorn": (_GUNICORN.format("gthread", "flask_app:app"), "/ws", b"hello stranger"),
    "Flask, gevent": (_FLASK_BY_GEVENT, "/ws?name=you", b"hello you"),
    "Bottle, gevent": ("examples/servers/bottle_app.py {port}", "/ws/", None),
    "Django, cheroot": ("examples/servers/django_app.py {port}", "/ws", None),
    "Django, gunicorn": (_GUNICORN.format("gthread", "django_app:application"), "/ws", None),
}


@pytest.mark.parametrize(("command", "path", "greeting"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_serves_pages_and_websockets_and_ends(tmp_path, command, path, greeting):
    with Example(command, tmp_path / "log") as example:
        assert example.get()
        with example.client() as client:
            assert client.upgrade(path, frame(TEXT, b"hi")).status == 101, client.body
            if greeting:
                assert client.read_frame() == Frame(TEXT, greeting)
            assert client.read_frame() == Frame(TEXT, b"hi")
            example.process.send_signal(signal.SIGTERM)
            assert client.read_frame().payload == _GOODBYE
            client.send(close_frame(1001))
            assert client.at_end()
        assert example.process.wait(DEADLINE) == 0
        assert "Traceback" not in example.text(), example.text()


def test_every_example_is_run():
    started = " ".join(command for command, _, _ in EXAMPLES.values())
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == {name for name in names if re.search(rf"\b{name}\b", started)}


@pytest.mark.parametrize(
    ("name", "path", "status"),
    # Flask itself answers what is no upgrade.
    [("flask_app", "/ws", 400), ("bottle_app", "/ws/", 426), ("django_app", "/ws", 426)],
)
def test_a_refusal_inside_a_framework(tmp_path, name, path, status):
    with Example(f"examples/servers/{name}.py {{port}}", tmp_path / "log") as example:
        with example.client() as client:
            assert client.upgrade(path, upgrade=None).status == status
        with example.client() as client:
            assert client.upgrade(path, sec_websocket_key="short").status == 400
            assert client.at_end()
        assert example.get()
        assert "Traceback" not in example.text(), example.text()
