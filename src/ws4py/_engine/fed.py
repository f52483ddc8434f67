"""TLS for programs that override ``once`` and read the socket themselves.

The loop's sockets do not block, and a TLS record that is not complete yet is
nothing that a program of the 0.6 days expects from ``recv``. So the loop reads,
and the program's ``once`` is fed with the result.
"""

from __future__ import annotations

from typing import Any

from ws4py._engine.guard import guarded

__all__ = ["FedSocket", "feed_once"]


class FedSocket:
    """Stands in for a socket; everything but reading is the socket's own.

    :param sock: the socket.
    :param data: what is to be read, nothing for the end, or an error.
    """

    def __init__(self, sock: Any, data: bytes | OSError) -> None:
        self._sock = sock
        self._error = data if isinstance(data, OSError) else None
        self._data = b"" if isinstance(data, OSError) else data

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read what there is, ``b""`` at the end.

        :raises OSError: the connection broke.
        """
        if self._error is not None:
            raise self._error
        data, self._data = self._data[:size], self._data[size:]
        return data

    def pending(self) -> int:
        """How much there is to read."""
        return len(self._data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def feed_once(websocket: Any, sock: Any, data: bytes | OSError) -> bool:
    """Have ``once`` read ``data``, and tell whether it wants to go on.

    :param sock: the websocket's real socket.
    """
    fed = websocket.sock = FedSocket(sock, data)
    while True:
        before = fed.pending()
        proceed = bool(guarded(websocket.once))
        # What it leaves twice it does not want.
        if not proceed or fed.pending() in (0, before):
            break
    with websocket._lock:  # noqa: SLF001 - another thread may be closing it
        if websocket.sock is fed:
            websocket.sock = sock
    return proceed
