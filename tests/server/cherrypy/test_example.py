"""The example in the module's documentation is a program that works as it stands."""

import inspect
import textwrap

import pytest
from websockets.sync.client import connect

from tests.support.cherrypy_process import ServerProcess
from tests.support.raw import BINARY, TEXT, Frame, frame
from ws4py.server import cherrypyserver

# What a test needs and a reader does not: a free port, and no thread that watches files.
_PORT = """\
import cherrypy

cherrypy.config.update({"server.socket_port": 0, "engine.autoreload.on": False})
"""


def example() -> str:
    """The block behind the first "::" of the docstring."""
    block = inspect.getdoc(cherrypyserver).partition("::\n\n")[2]
    lines = []
    for line in block.splitlines():
        if line and not line.startswith(" "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


@pytest.fixture
def server(tmp_path):
    program = tmp_path / "example.py"
    program.write_text(_PORT + example())
    with ServerProcess(program, tmp_path) as running:
        yield running


def test_it_is_the_whole_program():
    assert "cherrypy.quickstart(" in example()
    assert "handler_cls" in example()


def test_a_client_library_gets_its_messages_back(server):
    with connect(f"ws://127.0.0.1:{server.port()}/ws") as client:
        client.send("hello")
        assert client.recv() == "hello"
        client.send(b"\x00\xff")
        assert client.recv() == b"\x00\xff"
        client.ping().wait()


def test_a_raw_socket_gets_its_frames_back(server):
    with server.connect() as client:
        client.send(frame(TEXT, b"hello") + frame(BINARY, b"\x00\xff"))
        assert client.read_frame() == Frame(TEXT, b"hello")
        assert client.read_frame() == Frame(BINARY, b"\x00\xff")
        assert client.say_goodbye().close_code == 1000


def test_its_page_handler_saw_the_websocket_and_nothing_went_wrong(server):
    with server.connect() as client:
        client.say_goodbye()
    server.signal()
    assert server.wait() == 0
    assert "handler: <ws4py.websocket.EchoWebSocket object" in server.text()
    assert "Traceback" not in server.text()
