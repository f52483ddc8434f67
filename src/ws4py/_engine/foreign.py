"""Whatever a program gives a manager that is no :class:`~ws4py.websocket.WebSocket`.

Such an object reads and writes its socket itself; the loop only tells it when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ws4py._engine.guard import guarded
from ws4py._engine.loop import Loop
from ws4py._engine.pulse import Rhythm

__all__ = ["ForeignChannel"]


class ForeignChannel:
    """An object with ``sock``, ``once``, ``terminate``, ``terminated`` and ``close``."""

    #: It sends its own pings, or none.
    rhythm: Rhythm | None = None

    def __init__(self, loop: Loop, websocket: Any) -> None:
        self.loop = loop
        self.websocket = websocket
        self.fd: int = websocket.sock.fileno()
        self.retired = False

    def has_descriptor(self) -> bool:
        """See :class:`ws4py._engine.loop.Entry`."""
        sock = self.websocket.sock
        return sock is not None and bool(sock.fileno() == self.fd)

    def follows(self, _call: Callable[[], object]) -> bool:
        """Nobody else reads for it."""
        return False

    def started(self) -> None:
        """Nothing was read before."""

    def on_ready(self, events: int) -> None:
        """Have it read; end it when it says that there is no more to read."""
        if not self.retired and not guarded(self.websocket.once):
            self.end()

    def say_goodbye(self, code: int, reason: str) -> None:
        """Have it start its closing handshake."""
        guarded(lambda: self.websocket.close(code=code, reason=reason))
        if self.websocket.terminated:
            self.end()

    def end(self) -> None:
        """End it, unless it has ended itself."""
        if self.retired:
            return
        self.retired = True
        self.loop.forget(self)
        if not self.websocket.terminated:
            guarded(self.websocket.terminate)

    def let_go(self) -> None:
        """Stop serving it. Any thread."""
        self.retired = True
        self.loop.post(lambda: self.loop.forget(self))

    def expire(self) -> None:
        """End it; how abruptly is its own business."""
        self.end()
