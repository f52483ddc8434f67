"""A heartbeat for connections that read in a thread of their own.

It only sends; what comes back is the reader's business.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from ws4py.exc import ConnectionClosed
from ws4py.messaging import PongControlMessage

__all__ = ["Heartbeat"]


class Beating(Protocol):
    """What a heartbeat needs of a connection."""

    server_terminated: bool

    def send(self, payload: Any, binary: bool = False) -> None:
        """See :meth:`ws4py.websocket.WebSocket.send`."""

    def close_connection(self) -> None:
        """See :meth:`ws4py.websocket.WebSocket.close_connection`."""


class Heartbeat(threading.Thread):
    """Keeps a connection alive from a thread of its own, with unsolicited pongs.

    Connections of a manager do not need it: there ``heartbeat_freq`` sends pings
    from the manager's timers.

    :param frequency: seconds between pongs; ``None`` or 0 for none.
    """

    def __init__(self, websocket: Beating, frequency: float | None = 2.0) -> None:
        super().__init__(name="WebSocketHeartbeat", daemon=True)
        self.websocket = websocket
        self.frequency = frequency
        self.running = False
        self._stopped = threading.Event()

    def __enter__(self) -> Heartbeat:  # noqa: PYI034 - typing.Self came after 3.10
        if self.frequency:
            self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread; does not wait for it."""
        self.running = False
        self._stopped.set()

    def run(self) -> None:
        """Send a pong each period until stopped or the connection is gone."""
        self.running = True
        while not self._stopped.wait(self.frequency):
            try:
                self.websocket.send(PongControlMessage("beep"))
            except ConnectionClosed:
                # Also in the middle of a closing handshake, which is to be left in peace.
                break
            except OSError:
                self.websocket.server_terminated = True
                self.websocket.close_connection()
                break
        self.running = False
