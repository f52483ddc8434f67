"""One seed: a manager, connections, a kernel with bad days, and what has to hold in the end."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fuzz.kernel.door import Door
from fuzz.kernel.links import tcp, tls
from fuzz.kernel.peer import Peer, message
from fuzz.kernel.shim import Kernel
from ws4py._engine.backlog import nobody_waits
from ws4py._engine.lane import default_poller
from ws4py._engine.pollers import EPollPoller, SelectPoller
from ws4py.exc import ConnectionClosed
from ws4py.manager import WebSocketManager
from ws4py.messaging import Message
from ws4py.websocket import WebSocket

__all__ = ["Scenario"]

#: Far above what any seed takes; it only ends one that hangs.
DEADLINE = 10.0
_PER_SEED, _PER_ACT = 200, 10
_ABNORMAL = 1006
_LINKS: tuple[Callable[[], tuple[socket.socket, socket.socket]], ...] = (
    *(socket.socketpair,) * 12,
    *(tcp,) * 6,
    tls,
)
_GOING_AWAY = 1001


class Echo(WebSocket):
    """Sends back what it gets, and writes down how it begins and ends."""

    close_timeout = 8.0
    # A seed may take longer than a peer's patience, and the one thread of its peers is that of
    # its senders too.
    ping_interval = None
    write_timeout = None
    unsent_hard_limit = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.begun = 0
        self.ends: list[int] = []
        self.late = 0
        #: Has its descriptor armed, where that is not done before.
        self.arm: Callable[[], object] | None = None

    def opened(self) -> None:
        """See the base class."""
        if self.arm is not None:
            self.arm()
        self.begun += 1

    def received_message(self, message: Message) -> None:
        """See the base class."""
        self.late += bool(self.ends)
        with contextlib.suppress(ConnectionClosed):
            self.send(message)

    def closed(self, code: int, reason: str | None = None) -> None:
        """See the base class."""
        self.ends.append(code)


class Scenario:
    """Runs one seed; an AssertionError says what did not hold.

    :param kernel: what goes wrong is up to it.
    :param seed: what happens.
    """

    def __init__(self, kernel: Kernel, seed: int) -> None:
        self._kernel = kernel
        self._rng = rng = random.Random(seed)
        self._deadline = time.monotonic() + DEADLINE
        self._soft = rng.choice((0, 50, 200, 450))
        self._fatal = rng.choice((0, 0, 30, 300))
        # Whether the manager is stopped while there is traffic.
        self._early_stop = rng.random() < 0.1
        self._starved = rng.random() < 0.03
        self._before = _descriptors()
        kernel.begin(seed, self._soft)
        self._websockets: list[Echo] = []
        self._peers: list[Peer] = []
        self._sent: dict[str, int] = {"push": 0, "cast": 0}
        self._pushed: dict[int, list[int]] = {}
        self._manager = self._make_manager()
        self._door: Door | None = None

    def _make_manager(self) -> WebSocketManager:
        loops = self._rng.choice((1, 1, 1, 2))
        made: Any = None
        if loops == 1:
            make = self._rng.choice((default_poller, default_poller, EPollPoller, SelectPoller))
            # The default one is made by the manager's own thread.
            made = None if make is default_poller else make()
        manager = WebSocketManager(made, loops)
        manager.daemon = True
        manager.stop_timeout = 5.0
        return manager

    def run(self) -> None:
        """Do all of it."""
        rng = self._rng
        late_start, door = rng.random() < 0.1, rng.random() < 0.05
        if not late_start:
            self._start()
        if door and not late_start and not self._starved:
            self._door = Door(self._manager, self._make)
        try:
            for number in range(rng.choice((1, 2, 3, 8))):
                (self._connect if self._door is None else self._call_at_door)(number)
            if late_start:
                self._start()
            self._serve_all()
        finally:
            self._manager.stop()
            self._manager.join(DEADLINE)
            if self._door is not None:
                self._door.close()
            for peer in self._peers:
                peer.close()
        assert not self._manager.is_alive(), "the manager's thread did not end"
        self._judge()

    def _start(self) -> None:
        if self._starved:
            self._kernel.refuse(self._rng.choice((1, 2)))
        self._manager.start()

    def _connect(self, number: int) -> None:
        rng = self._rng
        make = rng.choice(_LINKS)
        ours, theirs = make()
        if make is socket.socketpair and rng.random() < 0.4:
            # With TCP, a queue that short would wait for delayed acknowledgements.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, rng.choice((2048, 20_000)))
        websocket = Echo(ours)
        self._websockets.append(websocket)
        peer = Peer(theirs, random.Random(rng.random()), number)
        self._peers.append(peer)
        self._arm(ours, number, rng.randrange(2**63), no_room=rng.random() < 0.02)
        if rng.random() < 0.2:
            # What came behind the handshake.
            websocket.buf = peer.early(rng)
        self._manager.add(websocket)

    def _arm(self, ours: socket.socket, number: int, seed: int, *, no_room: bool) -> None:
        self._kernel.arm(ours.fileno(), number, seed, self._soft, self._fatal, no_room=no_room)

    def _make(self, *arguments: Any, **keywords: Any) -> Echo:
        """At the door, on the server's thread: one connection after the other."""
        websocket = Echo(*arguments, **keywords)
        number = len(self._websockets)
        self._websockets.append(websocket)
        websocket.arm = lambda: self._arm(websocket.sock, number, number, no_room=False)
        return websocket

    def _call_at_door(self, number: int) -> None:
        assert self._door is not None
        sock, early = self._door.connect()
        assert not early, early
        self._peers.append(Peer(sock, random.Random(self._rng.random()), number))
        websocket = self._websockets[number]
        # Behind the 101 it is handed over, and a broadcast has to meet it.
        while websocket not in self._manager and not websocket.ends:
            assert time.monotonic() < self._deadline, "it was not handed over"
            time.sleep(0.001)

    # -- Traffic -----------------------------------------------------------------

    def _serve_all(self) -> None:
        acts = self._rng.choice((0, 3, 10, 40))
        while any(not peer.finished for peer in self._peers):
            assert time.monotonic() < self._deadline, self._state()
            served = self._serve(0 if acts else 20)
            if acts:
                acts -= 1
                self._act()
            if not acts:
                self._end(wake=not served)

    def _end(self, *, wake: bool) -> None:
        """Have the peers that got everything end."""
        if self._early_stop:
            self._early_stop = False
            self._stopped = True
            self._manager.stop()
        for number, peer in enumerate(self._peers):
            if wake:
                peer.wake()
            if peer.complete() and self._has_all(number):
                peer.end()

    _stopped = False

    def _serve(self, milliseconds: int) -> bool:
        poller = select.poll()
        peers = {peer.sock.fileno(): peer for peer in self._peers if not peer.finished}
        for fd, peer in peers.items():
            poller.register(fd, peer.interest())
        ready = poller.poll(milliseconds)
        for fd, events in ready:
            peers[fd].serve(events)
        return bool(ready)

    def _act(self) -> None:
        """What a program does from a thread of its own."""
        size = self._rng.choice((0, 100, 5000, 30_000))
        kind = self._rng.choice(("push", "cast"))
        number = self._sent[kind] = self._sent[kind] + 1
        text = message(kind, number, size).decode()
        if kind == "cast":
            self._manager.broadcast(text)
            return
        chosen = self._rng.randrange(len(self._peers))
        with contextlib.suppress(ConnectionClosed), nobody_waits():
            self._websockets[chosen].send(text)
            self._pushed.setdefault(chosen, []).append(number)

    def _has_all(self, number: int) -> bool:
        """Whether a peer has got what the server sent by itself, if it still can."""
        peer = self._peers[number]
        if self._excused(number):
            return True
        casts = list(range(1, self._sent["cast"] + 1))
        return peer.pushed["push"] == self._pushed.get(number, []) and peer.pushed["cast"] == casts

    def _excused(self, number: int) -> bool:
        """Whether something happened that may end the connection early."""
        return self._kernel.fatal(number) or self._stopped or self._starved

    # -- In the end ----------------------------------------------------------------

    def _judge(self) -> None:
        for number, websocket in enumerate(self._websockets):
            self._judge_one(number, websocket, self._peers[number])
        # A wait that tells of something is followed by a call that deals with it, or by a byte read
        # from the loop's own descriptor; else a loop goes round for nothing.
        turns, moves = self._kernel.turns(), self._kernel.moves()
        allowed = _PER_SEED + moves + _PER_ACT * sum(self._sent.values())
        assert turns <= allowed, f"{turns} turns for {moves} calls that could have moved bytes"
        left = {fd: what for fd, what in _descriptors().items() if self._before.get(fd) != what}
        assert not left, f"left open: {left}"
        threads = [
            each.name for each in threading.enumerate() if each is not threading.main_thread()
        ]
        assert not threads, f"threads are left: {threads}"

    def _judge_one(self, number: int, websocket: Echo, peer: Peer) -> None:
        assert websocket.begun == 1
        assert len(websocket.ends) == 1, f"closed() of {number}: {websocket.ends}"
        assert not websocket.late, f"{number} got messages behind closed()"
        code = websocket.ends[0]
        if self._excused(number):
            assert code in {_ABNORMAL, peer.close_code, _GOING_AWAY}, f"{number}: {code}"
            return
        assert peer.complete(), self._state()
        assert self._has_all(number), self._state()
        if peer.ending == "close":
            assert (code, peer.answered) == (peer.close_code, peer.close_code), self._state()
        elif peer.ending == "close-and-go":
            # Its frame may have been destroyed by the reset that our last bytes caused.
            assert code in {peer.close_code, _ABNORMAL}
        else:
            assert code == _ABNORMAL, f"{number}: {code}"

    def _state(self) -> str:
        return "\n".join(
            f"{number} {peer.state()}; fatal {self._kernel.fatal(number)}, ends {websocket.ends},"
            f" {_engine_state(websocket)}"
            for number, (peer, websocket) in enumerate(
                zip(self._peers, self._websockets, strict=True)
            )
        )


def _engine_state(websocket: Echo) -> str:
    outlet: Any = vars(websocket).get("_outlet")
    if outlet is None:
        return "not served any more"
    names = (
        "unsent",
        "_link",
        "_taken_away",
        "_early",
        "_blocked",
        "broken",
        "_draining",
        "_interest",
        "_registered",
        "retired",
    )
    return ", ".join(f"{name} {getattr(outlet, name)}" for name in names)


def _descriptors() -> dict[str, str]:
    """What is open, by number."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        # The descriptor that lists the folder is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found[entry.name] = str(entry.readlink())
    return found
