"""The demo as a person starts it: a process of its own, whose output is kept."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.examples.polling import wait_until

APP = Path(__file__).resolve().parents[2] / "examples" / "demo" / "app.py"
SERVING = re.compile(r"^Serving http://127\.0\.0\.1:(\d+)/$", re.MULTILINE)
END_LIMIT = 30


def _environment():
    """Ours, but for coverage: traced, CPython 3.11 once in a while lets no other thread go on
    when a signal comes, and the demo neither hears of it nor answers anybody.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


class DemoProcess:
    """Can be ended and started again; the second time on the port of the first."""

    def __init__(self, log):
        self.log = log
        self.process = None
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def start(self):
        before = len(self.output())
        # A file, not a pipe: nobody has to read it for the demo to go on.
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                # It says where it hangs, should it ever.
                [sys.executable, "-X", "faulthandler", str(APP), "--port", str(self.port)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        self.port = int(wait_until(lambda: self._serving(before), "the demo serves")[1])

    def _serving(self, since):
        assert self.process.poll() is None, f"the demo ended early:\n{self.output()}"
        return SERVING.search(self.output()[since:])

    def end(self, how=signal.SIGTERM):
        """Return the exit status."""
        self.process.send_signal(how)
        try:
            return self.process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(END_LIMIT)
            raise AssertionError(f"the demo did not end:\n{self.output()}") from None

    def end_for_sure(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_LIMIT)
