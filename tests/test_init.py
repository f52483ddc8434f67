import logging
import logging.handlers
import socket
import subprocess
import sys

import pytest

import ws4py


@pytest.fixture
def clean_logger():
    """The ``ws4py`` logger, put back as it was; its handlers closed."""
    logger = logging.getLogger("ws4py")
    handlers, level = list(logger.handlers), logger.level
    yield logger
    for handler in [each for each in logger.handlers if each not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


class TestConfigureLogger:
    def test_to_the_standard_output(self, clean_logger, capsys):
        assert ws4py.configure_logger() is clean_logger
        clean_logger.info("to %s", "a person")
        clean_logger.debug("not this")
        written = capsys.readouterr().out
        assert written.rstrip().endswith("INFO to a person")
        assert "not this" not in written

    def test_to_a_file(self, clean_logger, tmp_path, capsys):
        path = tmp_path / "ws4py.log"
        ws4py.configure_logger(stdout=False, filepath=str(path), level=logging.DEBUG)
        clean_logger.debug("in the file")
        assert "DEBUG in the file" in path.read_text(encoding="utf-8")
        assert capsys.readouterr().out == ""

    def test_to_both(self, clean_logger, tmp_path, capsys):
        path = tmp_path / "ws4py.log"
        ws4py.configure_logger(filepath=str(path))
        clean_logger.warning("everywhere")
        assert "everywhere" in path.read_text(encoding="utf-8")
        assert "everywhere" in capsys.readouterr().out

    def test_the_file_does_not_grow_without_end(self, clean_logger, tmp_path):
        ws4py.configure_logger(stdout=False, filepath=str(tmp_path / "ws4py.log"))
        (handler,) = [
            each
            for each in clean_logger.handlers
            if isinstance(each, logging.handlers.RotatingFileHandler)
        ]
        assert handler.maxBytes > 0
        assert handler.backupCount > 0

    def test_each_call_adds_to_the_logger(self, clean_logger):
        before = len(clean_logger.handlers)
        ws4py.configure_logger(level=logging.WARNING)
        ws4py.configure_logger(level=logging.ERROR)
        assert len(clean_logger.handlers) == before + 2
        assert clean_logger.level == logging.ERROR


class Addressed:
    def __init__(self, local, peer):
        self.local_address, self.peer_address = local, peer


class Gone:
    def __init__(self, error):
        self.error = error

    @property
    def local_address(self):
        raise self.error


class TestFormatAddresses:
    def test_internet(self):
        websocket = Addressed(("127.0.0.1", 9000), ("10.0.0.1", 50000))
        expected = "[Local => 127.0.0.1:9000 | Remote => 10.0.0.1:50000]"
        assert ws4py.format_addresses(websocket) == expected

    def test_unix(self):
        assert ws4py.format_addresses(Addressed("/run/a", "")) == "[Bound to '/run/a']"
        assert ws4py.format_addresses(Addressed("", "/run/a")) == "[Bound to '/run/a']"

    @pytest.mark.parametrize("error", [OSError("gone"), AttributeError("sock is None")])
    def test_it_never_raises(self, error):
        assert ws4py.format_addresses(Gone(error)) == "[Unconnected]"

    def test_a_real_socket(self):
        from ws4py.websocket import WebSocket

        with socket.create_server(("127.0.0.1", 0)) as server:
            host, port = server.getsockname()
            with socket.create_connection((host, port)) as sock:
                own = sock.getsockname()[1]
                text = ws4py.format_addresses(WebSocket(sock))
        assert text == f"[Local => 127.0.0.1:{own} | Remote => 127.0.0.1:{port}]"


class TestPackage:
    def test_names(self):
        assert ws4py.WS_VERSION == (8, 13)
        assert ws4py.WS_KEY == b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        assert ws4py.__author__
        assert ws4py.__version__[0].isdigit()
        assert all(hasattr(ws4py, name) for name in ws4py.__all__)

    def test_importing_it_and_the_core_needs_the_standard_library_only(self):
        """In an interpreter of its own, without site-packages."""
        modules = "ws4py", "ws4py.exc", "ws4py.messaging", "ws4py.streaming", "ws4py.websocket"
        program = f"""if True:
            import sys
            sys.path.append({str(next(iter(ws4py.__path__)) + "/..")!r})
            for name in {modules!r}:
                __import__(name)
            print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
        """
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        others = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"ws4py", "__main__"}
        # Compiled modules bring what they share; it comes from nowhere but them.
        assert all(name.startswith(("cython_runtime", "_cython_")) for name in others)
