"""The manager of the process: one, made when needed, of this process, and its goodbye."""

import signal
import subprocess
import sys
import textwrap

import pytest

import ws4py
from tests.support.raw import CLOSE, TEXT, Frame, close_frame, frame
from tests.support.serving import Peer
from tests.support.sockets import connected
from tests.support.waiting import DEADLINE

_SOURCE = ws4py.__path__[0].removesuffix("ws4py")

_PREAMBLE = """
import os, socket, sys, threading, time
sys.path.insert(0, sys.argv[2])
from ws4py.server._default_manager import default_manager
from ws4py.server.wsgiutils import serve_socket
from ws4py.websocket import EchoWebSocket
def serve():
    serve_socket(EchoWebSocket(socket.socket(fileno=int(sys.argv[1]))))
"""


@pytest.fixture
def program():
    """Starts Python text in a process that has the other end of a connection."""
    started = []

    def start(text, first=""):
        sock, peer = connected("tcp")
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", textwrap.dedent(first) + _PREAMBLE + textwrap.dedent(text)),
                *(str(sock.fileno()), _SOURCE),
            ],
            pass_fds=[sock.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        sock.close()
        started.append((process, peer))
        return process, Peer(peer)

    yield start
    for process, peer in started:
        peer.close()
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def assert_served_to_the_end(process, client):
    client.send(frame(TEXT, b"hi"))
    assert client.read_frame() == Frame(TEXT, b"hi")
    # The program waits for a line.
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert client.read_frame() == Frame(CLOSE, b"\x03\xe9Server is shutting down")
    client.send(close_frame(1001))
    assert client.at_end()
    client.sock.close()
    assert process.wait(DEADLINE) == 0
    assert process.stdout.read() == b""


def test_the_end_of_the_process_says_goodbye(program):
    assert_served_to_the_end(*program("serve(); sys.stdin.readline()"))


def test_an_exit_says_goodbye(program):
    assert_served_to_the_end(*program("serve(); sys.stdin.readline(); sys.exit(0)"))


def test_a_signal_is_handled_while_the_goodbyes_are_waited_for(program):
    """One that restarts system calls, as gunicorn 23 has it, does not wake who waits for a lock."""
    process, client = program(
        """
        import signal
        signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True))
        signal.siginterrupt(signal.SIGTERM, False)
        default_manager().stop_timeout = 600
        serve()
        """
    )
    assert client.read_frame().close_code == 1001
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == b"handled\n"
    client.send(close_frame(1001))
    assert client.at_end()
    client.sock.close()
    assert process.wait(DEADLINE) == 0


def test_one_for_each_process(program):
    process, _ = program(
        """
        managers = []
        threads = [
            threading.Thread(target=lambda: managers.append(default_manager())) for _ in range(20)
        ]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert len(set(map(id, managers))) == 1
        assert default_manager().running
        """
    )
    assert process.wait(DEADLINE) == 0, process.stdout.read()


def test_a_process_that_forks_has_one_of_its_own(program):
    assert_served_to_the_end(
        *program(
            """
            parents = default_manager()
            child = os.fork()
            if not child:
                assert default_manager() is not parents
                serve()
                sys.stdin.readline()
                sys.exit(0)
            os.close(int(sys.argv[1]))
            assert os.waitpid(child, 0)[1] == 0
            assert default_manager() is parents
            """,
            # The first of them has threads, which is what CPython warns of.
            "import warnings; warnings.simplefilter('ignore')",
        )
    )


def test_who_comes_too_late_is_turned_away(program):
    process, client = program(
        """
        import atexit
        # Runs behind the goodbye, since it was registered before it.
        default_manager()
        """,
        """
        import atexit
        atexit.register(lambda: serve())
        """,
    )
    assert client.read_frame().close_code == 1001
    assert client.at_end()
    assert process.wait(DEADLINE) == 0


def test_a_patched_process_has_a_pool_of_gevents(program):
    process, client = program(
        """
        from ws4py.server.geventserver import GEventWebSocketPool
        serve()
        assert type(default_manager()) is GEventWebSocketPool
        gevent.get_hub().threadpool.apply(monkey.get_original("sys", "stdin").readline)
        """,
        "import gevent; from gevent import monkey; monkey.patch_all()",
    )
    assert_served_to_the_end(process, client)


def test_an_imported_gevent_that_patches_nothing_changes_nothing(program):
    process, _ = program(
        """
        import gevent.monkey
        from ws4py.manager import WebSocketManager
        assert type(default_manager()) is WebSocketManager
        """
    )
    assert process.wait(DEADLINE) == 0, process.stdout.read()
