"""Many websockets in one thread: :class:`WebSocketManager`, the 0.6 face of the loop.

It keeps the books (who is here) and starts and stops; reading, writing and
waiting are in :mod:`ws4py._engine`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from ws4py import format_addresses
from ws4py._engine.backlog import nobody_waits
from ws4py._engine.channel import Channel
from ws4py._engine.crew import Crew
from ws4py._engine.door import Door, Guest, peer_of
from ws4py._engine.foreign import ForeignChannel
from ws4py._engine.guard import guarded
from ws4py._engine.lane import default_poller, post_to_all
from ws4py._engine.loop import Entry, Loop
from ws4py._engine.pollers import (
    EPollPoller,
    KQueuePoller,
    LoopPoller,
    SelectPoller,
    adapt,
)
from ws4py._engine.turn_away import turn_away
from ws4py._engine.worked import WorkedChannel
from ws4py._engine.workers import Workers
from ws4py._log import logger
from ws4py._settings import checked, fill_in
from ws4py._wire.codes import GOING_AWAY, TRY_AGAIN_LATER
from ws4py.messaging import PreparedMessage, prepare
from ws4py.protocol.limits import DEFAULT_MEMORY_BUDGET
from ws4py.websocket import WebSocket

__all__ = ["EPollPoller", "KQueuePoller", "SelectPoller", "WebSocketManager"]

_GOODBYE = "Server is shutting down"
_SEND = WebSocket.send


class WebSocketManager(threading.Thread):
    """A thread that serves websockets.

    Every method may be called from any thread, callbacks of the websockets
    included. After :meth:`stop` and :meth:`join` it can be started again.

    :param poller: how to wait; ``None`` for the best of this system, which is
        made when the manager is started, so after a daemon's fork.
    :param loops: how many threads share the websockets. Each websocket stays with one,
        so callbacks of two websockets may then run at once. More than one is worth it
        when most of the time goes into the kernel, which is without the GIL.
    :param workers: how many threads run the websockets' callbacks, or an own
        :class:`concurrent.futures.Executor` whose threads do. Those of one websocket stay
        in order and are never run two at once. ``None``: the manager's own thread, which
        is fastest for handlers that never block.
    :param memory_budget: bytes that all websockets together may make the process hold, in
        messages that are not complete and in what is unsent; who needs more is closed
        (1013). ``None`` for no limit. Up to 64 KiB of a websocket are not counted.
    :param max_connections: how many websockets are served at the most; ``None`` for 64 fewer
        than the process may open files (the soft ``RLIMIT_NOFILE`` of that moment).
    :param max_connections_per_address: how many from one address, which behind a proxy is the
        proxy's; ``None`` for any number, and then nothing is counted.
    :param settings: for every websocket whose class, and whose path, has none of its own;
        the names are those of :class:`~ws4py._settings.Settings`.
    :raises ValueError: no loop at all, or several with one poller; a negative setting.
    :raises TypeError: a setting that there is not, or that is no number.
    """

    #: Seconds that :meth:`stop` gives the peers to complete the closing handshake.
    stop_timeout = 3.0

    def __init__(
        self,
        poller: Any = None,
        loops: int = 1,
        *,
        workers: int | Executor | None = None,
        memory_budget: int | None = DEFAULT_MEMORY_BUDGET,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name="WebSocketManager")
        if loops < 1:
            raise ValueError(f"loops has to be at least 1, not {loops}")
        if loops > 1 and poller is not None:
            raise ValueError("a poller serves one loop: leave it out, or have loops=1")
        #: How many threads share the websockets.
        self.loops = loops
        #: Who runs callbacks, as it was given.
        self.workers = workers
        self._settings = checked(settings, type(self).__name__)
        #: How many websockets are served at the most; may be changed at any time.
        self.max_connections = max_connections
        #: How many from one address; those who are here before it is set are not counted.
        self.max_connections_per_address = max_connections_per_address
        self._door = Door()
        #: Guards :attr:`websockets`; hold it only for a moment.
        self.lock = threading.RLock()
        #: The websockets that are served, by descriptor.
        self.websockets: dict[int, Any] = {}
        #: Whether websockets are served: from :meth:`start` to :meth:`stop`.
        self.running = False
        self._own_poller = poller
        self._live_poller: Any = None
        self._entries: dict[int, Any] = {}
        self._goodbye: tuple[int, str] | None = None
        # The loop has been run, or told to stop; and the thread has been started.
        self._stopped = False
        self._used = False
        self._crew = self._new_crew(memory_budget)
        self._workers = self._new_workers()

    def _new_workers(self) -> Workers | None:
        # Its threads are started when there is something for them to do, so behind a fork.
        return None if self.workers is None else Workers(self.workers, self.name)

    def _new_crew(self, budget: int | None) -> Crew:
        pollers = [self._make_poller] + [default_poller] * (self.loops - 1)
        return Crew(pollers, self._forget, budget)

    @property
    def memory_budget(self) -> int | None:
        """Bytes that all websockets together may make the process hold."""
        return self._crew.ledger.budget

    @memory_budget.setter
    def memory_budget(self, budget: int | None) -> None:
        self._crew.ledger.budget = budget

    @property
    def poller(self) -> Any:
        """How the manager waits. Assign another one before :meth:`start`."""
        if self._own_poller is not None:
            return self._own_poller
        if self._live_poller is None:
            self._live_poller = default_poller()
        return self._live_poller

    @poller.setter
    def poller(self, poller: Any) -> None:
        self._own_poller = poller

    def _make_poller(self) -> LoopPoller:
        return adapt(self.poller)

    # -- Who is here -------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.websockets)

    def __iter__(self) -> Iterator[Any]:
        with self.lock:
            return iter(list(self.websockets.values()))

    def __contains__(self, websocket: Any) -> bool:
        with self.lock:
            return any(each is websocket for each in self.websockets.values())

    def admit(self, address: str | None = None) -> None:
        """Ask, before a 101 is sent, whether there is room for one more websocket.

        :param address: the client's, as in ``REMOTE_ADDR``; ``None`` where it has none.
        :raises HandshakeError: with status 503, there is none.
        """
        with self.lock:
            reason = self._full(address)
        if reason is not None:
            raise self._door.refused(reason, address)

    def _full(self, address: str | None) -> str | None:
        return self._door.full(
            len(self.websockets), self.max_connections, self.max_connections_per_address, address
        )

    def add(self, websocket: Any) -> None:
        """Serve a websocket from now on; calls its ``opened()`` first.

        A broadcast made inside ``opened()`` does not reach the newcomer. One that is
        above a limit, since it came without asking :meth:`admit` or many asked at once,
        is closed with 1013.

        :raises OSError: its socket is closed.
        """
        if self._serves(websocket):
            return
        if websocket.sock is None:
            raise OSError(errno.EBADF, "the websocket is closed")
        # Of a peer that has reset its connection the kernel tells nothing any more, and closed()
        # may want to say who it was.
        with contextlib.suppress(OSError, AttributeError):
            _ = websocket.peer_address
        _log("Managing websocket %s", websocket)
        loop = self._crew.pick()
        if self._goodbye is not None:
            self._turn_away(websocket, *self._goodbye)
            return
        address = None if self.max_connections_per_address is None else peer_of(websocket)
        with self.lock:
            reason = self._full(address)
            if reason is None:
                guest = self._door.enter(address)
        if reason is not None:
            self._door.refused(reason, address)
            self._turn_away(websocket, TRY_AGAIN_LATER, reason)
            return
        try:
            self._begin(websocket, loop, guest)
        finally:
            with self.lock:
                self._door.leave(guest)

    def _begin(self, websocket: Any, loop: Loop, guest: Guest) -> None:
        entry: Channel | ForeignChannel
        if _is_ours(websocket):
            fill_in(websocket, self._settings, WebSocket)
            entry = self._new_channel(loop, websocket)
            entry.handed_over = False
            try:
                websocket._call(websocket.opened)  # noqa: SLF001 - guarded like every callback
            except BaseException:
                # The server's thread is to end; nobody else knows of the connection.
                entry.handed_over = True
                if not loop.post(entry.end):
                    entry.end()
                raise
            entry.handed_over = True
            if websocket.stream is None:
                entry.end()
                return
        else:
            entry = ForeignChannel(loop, websocket)
            try:
                websocket.opened()
            except BaseException:
                guarded(websocket.terminate)
                raise
        with self.lock:
            self.websockets[entry.fd] = websocket
            self._entries[entry.fd] = entry
            self._door.stay(guest, entry)
        if not loop.adopt(entry):
            entry.say_goodbye(GOING_AWAY, _GOODBYE)
            entry.end()

    def remove(self, websocket: Any) -> None:
        """Stop serving a websocket and leave it open; ``closed()`` is not called.

        Its socket stays non-blocking.
        """
        with self.lock:
            for fd, each in list(self.websockets.items()):
                if each is websocket:
                    del self.websockets[fd]
                    entry = self._entries.pop(fd)
                    self._door.left(entry)
                    break
            else:
                return
        _log("Removing websocket %s", websocket)
        entry.let_go()

    # -- Starting and stopping ---------------------------------------------------

    def start(self) -> None:
        """Start the thread; possible again after :meth:`stop` and the thread's end.

        :raises RuntimeError: it is running.
        """
        if not self.is_alive():
            # A thread object can be started once, and from Python 3.13 on not at all in
            # another process than it was made in. Initialising it makes a new one of it.
            super().__init__(name=self.name, daemon=self.daemon)
        if self._stopped and not self.is_alive():
            self._crew = self._new_crew(self.memory_budget)
            self._workers = self._new_workers()
            self._goodbye = None
            self._stopped = False
        before = self.running, self._used
        self.running = self._used = True
        try:
            super().start()
        except RuntimeError:
            self.running, self._used = before
            raise

    def run(self) -> None:
        """Serve until :meth:`stop`; normally called by :meth:`start`."""
        self.running = self._used = True
        try:
            self._crew.run(self.name)
        finally:
            if self._workers is not None:
                self._workers.stop(self.stop_timeout)
            self._stopped = True
            self.running = False
            # The loop has released it.
            self._live_poller = None

    def refuse(self, code: int = GOING_AWAY, message: str = _GOODBYE) -> None:
        """Close every websocket and turn away those that still come. Does not wait."""
        self._goodbye = (code, message)
        self._crew.refuse(code, message)

    def close_all(self, code: int = GOING_AWAY, message: str = _GOODBYE) -> None:
        """Start the closing handshake of every websocket. Does not wait.

        :param code: the close code.
        :param message: the reason.
        """
        for websocket in self:
            guarded(_close, websocket, code, message)

    def stop(self) -> None:
        """Close every websocket with 1001 and end the thread. Does not wait.

        The peers have :attr:`stop_timeout` seconds to answer; :meth:`join` waits
        for the end.
        """
        self.running = False
        self.refuse()
        self._stopped = True
        self._crew.stop(self.stop_timeout)
        with self.lock:
            # Never started, but there are websockets to close.
            alone = not self._used and bool(self._entries)
            self._used = self._used or alone
        if alone:
            self.run()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread's end; returns at once where that is impossible: on
        the thread itself, and before it was ever started.
        """
        if self._used and self.ident is not None and threading.current_thread() is not self:
            super().join(timeout)

    # -- Sending to all ----------------------------------------------------------

    def broadcast(self, message: Any, binary: bool = False) -> None:
        """Send a message to every websocket. Never waits for a reader.

        :param message: whatever :meth:`ws4py.websocket.WebSocket.send` takes.
        :param binary: see there.
        """
        with nobody_waits():
            self._broadcast(message, binary)

    def _broadcast(self, message: Any, binary: bool) -> None:
        prepared = _prepared(message, binary)
        websockets = list(self)
        if prepared is not None:
            frame = prepared.frame(None)
            websockets = websockets if frame is None else post_to_all(websockets, frame)
        for websocket in websockets:
            if websocket.terminated:
                continue
            if prepared is not None and _sends_as_we_do(websocket):
                guarded(websocket._send_prepared, prepared, at_once=False)  # noqa: SLF001
            else:
                guarded(websocket.send, message, binary)
        self._crew.wake()

    # -- Helpers -----------------------------------------------------------------

    def _new_channel(self, loop: Loop, websocket: WebSocket) -> Channel:
        workers = self._workers
        if workers is None:
            return Channel(loop, websocket)
        return WorkedChannel(loop, websocket, workers)

    def _serves(self, websocket: Any) -> bool:
        """Whether it need not be added; of one of ours its outlet tells, whatever the crowd."""
        if _is_ours(websocket) and websocket.sock is not None:
            return websocket._outlet is not None  # noqa: SLF001
        return websocket in self

    def _forget(self, entry: Entry) -> None:
        with self.lock:
            self._door.left(entry)
            if self._entries.get(entry.fd) is not entry:
                return
            del self._entries[entry.fd]
            websocket = self.websockets.pop(entry.fd, None)
        _log("Terminating websocket %s", websocket)

    def _turn_away(self, websocket: Any, code: int, message: str) -> None:
        """Close a websocket that came too late; none of its callbacks is called."""
        mask = getattr(websocket.stream, "always_mask", False)
        turn_away(websocket.sock, code, message, mask=mask)
        websocket.sock = None


# By its type: a mock that was made after the class calls itself an instance of it.
def _is_ours(websocket: Any) -> bool:
    return issubclass(type(websocket), WebSocket)


def _log(text: str, websocket: Any) -> None:
    if logger.isEnabledFor(logging.INFO):
        logger.info(text, format_addresses(websocket))


def _prepared(message: Any, binary: bool) -> PreparedMessage | None:
    """The message made once for all; ``None`` for what each websocket has to send by itself."""
    if isinstance(message, PreparedMessage):
        return message
    try:
        return prepare(message, binary)
    except TypeError:
        # A generator, for one; or of a type whose error the first send() is to raise.
        return None


def _sends_as_we_do(websocket: Any) -> bool:
    """Whether neither the program's class nor the websocket has a ``send`` of its own."""
    return _is_ours(websocket) and getattr(websocket.send, "__func__", None) is _SEND


def _close(websocket: Any, code: int, message: str) -> None:
    websocket.close(code=code, reason=message)
