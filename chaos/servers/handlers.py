"""What the server under test does with its websockets, on whatever server it runs.

Handlers as a program has them: well and badly behaved. Every class counts how often its callbacks
were called; the control channel tells.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.websocket import WebSocket


class Tally:
    """How callbacks were called, in all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened = 0
        self.messages = 0
        self.closed: Counter[int] = Counter()
        self.closed_again = 0
        self.refused_sends: Counter[str] = Counter()

    def as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        with self.lock:
            return {
                "opened": self.opened,
                "messages": self.messages,
                "closed": {str(code): count for code, count in self.closed.items()},
                "closed_total": sum(self.closed.values()),
                "closed_again": self.closed_again,
                "refused_sends": dict(self.refused_sends),
            }


tally = Tally()


class Quiet(WebSocket):
    """Takes every message and says nothing."""

    closed_times = 0

    def opened(self) -> None:
        """Count."""
        with tally.lock:
            tally.opened += 1

    def received_message(self, message: Any) -> None:
        """Count."""
        tally.messages += 1

    def closed(self, code: int, reason: str | None = None) -> None:
        """Count, and whether it is the first time."""
        with tally.lock:
            tally.closed[code] += 1
            self.closed_times += 1
            tally.closed_again += self.closed_times > 1


class Echo(Quiet):
    """Sends back what comes."""

    def received_message(self, message: Any) -> None:
        """Send the message back."""
        tally.messages += 1
        self.send(message.data, message.is_binary)


class Member(Quiet):
    """One of those whom a broadcast is for; counts what comes."""


class Slow(Quiet):
    """Needs ten milliseconds for a message."""

    def received_message(self, message: Any) -> None:
        """Take one's time."""
        time.sleep(0.01)
        tally.messages += 1


class Blocking(Quiet):
    """Sleeps as many seconds as the message says, then says that it is awake."""

    def received_message(self, message: Any) -> None:
        """Block."""
        time.sleep(float(message.data))
        tally.messages += 1
        self.send("awake")


class HandlerError(Exception):
    """A program's mistake."""


class RaisesInOpened(Quiet):
    """Fails at once."""

    def opened(self) -> None:
        """Fail."""
        super().opened()
        raise HandlerError("in opened")


class RaisesInMessage(Quiet):
    """Fails at the first message."""

    def received_message(self, message: Any) -> None:
        """Fail."""
        raise HandlerError("in received_message")


class RaisesInClosed(Quiet):
    """Fails at the end."""

    def closed(self, code: int, reason: str | None = None) -> None:
        """Fail."""
        super().closed(code, reason)
        raise HandlerError("in closed")


class Racing(Quiet):
    """At a message, one thread sends while another one closes."""

    def received_message(self, message: Any) -> None:
        """Let the race begin."""
        tally.messages += 1
        races.start(self.close)
        races.start(lambda: self.send("in flight"))


class Races:
    """Two threads for all racing websockets together."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._wakeup = threading.Condition()
        for _ in range(2):
            threading.Thread(target=self._run, name="race", daemon=True).start()

    def start(self, call: Any) -> None:
        """Have this called soon, by one of the threads."""
        with self._wakeup:
            self._waiting.append(call)
            self._wakeup.notify()

    def _run(self) -> None:
        while True:
            with self._wakeup:
                while not self._waiting:
                    self._wakeup.wait()
                call = self._waiting.pop(0)
            try:
                call()
            except Exception as error:  # noqa: BLE001 - which kinds there are is what is to be seen
                with tally.lock:
                    tally.refused_sends[type(error).__name__] += 1


races = Races()

PATHS: dict[str, type[Quiet]] = {
    "ws": Echo,
    "quiet": Quiet,
    "member": Member,
    "slow": Slow,
    "blocking": Blocking,
    "raises-opened": RaisesInOpened,
    "raises-message": RaisesInMessage,
    "raises-closed": RaisesInClosed,
    "racing": Racing,
    "deflate": Echo,
    "deflate-quiet": Quiet,
    "deflate-12": Echo,
    "deflate-15": Echo,
}

EXTENSIONS: dict[str, PerMessageDeflate] = {
    "deflate": PerMessageDeflate(),
    "deflate-quiet": PerMessageDeflate(),
    "deflate-12": PerMessageDeflate(
        server_no_context_takeover=False,
        client_no_context_takeover=False,
        server_max_window_bits=12,
        client_max_window_bits=12,
        mem_level=5,
    ),
    "deflate-15": PerMessageDeflate(
        server_no_context_takeover=False,
        client_no_context_takeover=False,
        server_max_window_bits=15,
        client_max_window_bits=15,
        mem_level=8,
    ),
}


def set_all(settings: dict[str, Any]) -> None:
    """Give every handler class the settings, as a program does: in the class."""
    for name, value in settings.items():
        setattr(Quiet, name, value)
