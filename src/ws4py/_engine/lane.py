"""The fast lane's Python face: which connections may use it, and a poller that has one.

The lane itself is compiled (``lane_c``); where it is missing, every connection is
served by :mod:`ws4py._engine.channel` alone, in the same way.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from ws4py._engine import pollers
from ws4py._engine.pollers import EPollPoller, LoopPoller
from ws4py._transport import PlainTransport
from ws4py._twins import PURE
from ws4py.websocket import WebSocket

if TYPE_CHECKING:
    from ws4py._engine.lane_c import Lane, SwitchingLane

_compiled: Any = None
if not PURE:
    with contextlib.suppress(ImportError):
        from ws4py._engine import lane_c as _compiled

__all__ = ["COMPILED", "LanePoller", "default_poller", "fits", "post_to_all", "switching_lane"]

#: Whether there is a fast lane.
COMPILED = _compiled is not None

#: What the lane does in these methods' place, unless a program has its own.
_SKIPPED = (
    "process",
    "once",
    "_call",
    "_deliver",
    "_reply",
    "_send_data",
    "_write",
    "_callback_raised",
    "_passes",
)
#: As it was before a program could replace it.
_SEND = WebSocket.send
_ORIGINALS = {name: vars(WebSocket)[name] for name in _SKIPPED}


class LanePoller(EPollPoller):
    """An epoll that serves the lane's connections itself and tells of all others."""

    def __init__(self) -> None:
        super().__init__()
        self.lane: Lane = _compiled.Lane(self.poller.fileno())

    def register(self, fd: int) -> None:
        """See :meth:`ws4py._engine.pollers.LoopPoller.register`."""
        before = self.poller
        super().register(fd)
        if self.poller is not before:
            self.lane = _compiled.Lane(self.poller.fileno())

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """See :meth:`ws4py._engine.pollers.LoopPoller.wait`."""
        return self.lane.wait(timeout)


def default_poller() -> LoopPoller:
    """The best poller of this system and build."""
    return LanePoller() if COMPILED else pollers.default_poller()


def switching_lane(epoll: int) -> SwitchingLane:
    """A lane whose callbacks may switch greenlets; not without :data:`COMPILED`.

    :param epoll: the descriptor of an epoll that nobody else uses.
    """
    made: SwitchingLane = _compiled.SwitchingLane(epoll)
    return made


def post_to_all(websockets: list[Any], frame: bytes) -> list[Any]:
    """Queue a frame for all in the lane that can have it as it is; return all the others.

    Their loops have to be woken. Thread-safe.
    """
    if _compiled is None:
        return websockets
    others: list[Any] = _compiled.post_to_all(websockets, frame, _SEND)
    return others


def fits(websocket: WebSocket, transport: PlainTransport) -> bool:
    """Whether the lane would do for this connection what Python would."""
    # TLS is no descriptor's business; a socket class of a program's own may do anything.
    if type(transport) is not PlainTransport or not _is_plain(transport.sock):
        return False
    stream = websocket.stream
    if stream is None or stream.always_mask or not stream.expect_masking:
        return False
    if stream.extension is not None:
        # Few of its messages are plain.
        return False
    # A program may have replaced one for all, for its class, or for this connection alone.
    return all(
        getattr(getattr(websocket, name), "__func__", None) is method
        for name, method in _ORIGINALS.items()
    )


def _is_plain(sock: Any) -> bool:
    kind: Any = type(sock)
    # gevent's class is none of the standard library's.
    plain: Any = next((each for each in kind.__mro__ if each.__name__ == "socket"), None)
    if plain is not socket.socket and not (plain and plain.__module__.startswith("gevent.")):
        return False
    return kind.recv is plain.recv and kind.send is plain.send
