"""What a connection knows of itself: its two ends, and how far it has come."""

from __future__ import annotations

from typing import Any

from ws4py._outlet import Outlet
from ws4py._settings import Settings
from ws4py._transport import address_of

__all__ = ["Connected"]


class Connected(Settings):
    """A connection's state as programs see it; see :class:`ws4py.websocket.WebSocket`."""

    # Programs exist whose constructors never reach ours, so every attribute has a
    # default here and nothing internal is only made in ``__init__``.
    sock: Any = None
    environ: dict[str, Any] | None = None
    protocols: list[str] | None = None
    extensions: list[str] | None = None
    heartbeat_freq: float | None = None
    client_terminated = False
    server_terminated = False
    sock_timeout: float | None = None
    #: Bytes received and not processed yet: what came behind the handshake.
    buf = b""
    #: How the connection ended; set before ``closed()`` is called.
    close_code: int | None = None
    close_reason: str | None = None
    _local_address: Any = None
    _peer_address: Any = None
    _outlet: Outlet | None = None
    # While one owner may still have to deliver what it has received; the next one's business.
    _handover: Any = None

    @property
    def terminated(self) -> bool:
        """Whether both ends have said that they are done."""
        return self.client_terminated is True and self.server_terminated is True

    @property
    def connection(self) -> Any:
        """The underlying socket, ``None`` once closed."""
        return self.sock

    @property
    def local_address(self) -> Any:
        """Our address as ``(host, port)``, or a Unix socket's path; kept once asked for.

        :raises OSError: the socket is closed.
        """
        if not self._local_address:
            self._local_address = address_of(self.sock, "getsockname")
        return self._local_address

    @property
    def peer_address(self) -> Any:
        """The peer's address as ``(host, port)``; ``''`` for a Unix socket.

        :raises OSError: the socket is closed, or the peer is gone.
        """
        if not self._peer_address:
            self._peer_address = address_of(self.sock, "getpeername")
        return self._peer_address

    @property
    def latency(self) -> float | None:
        """Seconds that the last ping of the manager took there and back, ``None`` before."""
        return None if self._outlet is None else self._outlet.latency
