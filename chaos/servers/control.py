"""The control channel of a server under test: a command a line, an answer a line, both in JSON.

It runs in a thread of its own (under gevent in a greenlet, since threads are patched there), so
that it answers while workers and loop are busy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from chaos.servers.handlers import Member, set_all, tally

#: Hexadecimal digits of a message's number and of the time it was made, as the storm reads them.
_STAMP = "{:016x}{:016x}"


class Service(Protocol):
    """What the control channel asks of the server."""

    def port(self) -> int:
        """Return where it listens."""

    def websockets(self) -> list[Any]:
        """Return those it serves."""

    def broadcast(self, message: bytes) -> None:
        """Send to all members."""

    def stop(self) -> None:
        """Stop serving, and wait for the end."""

    def start(self) -> None:
        """Serve again."""

    def restart(self) -> None:
        """Replace the process's program with a new one, if the server can."""


def options() -> argparse.Namespace:
    """Read the command line, and set the handlers up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--manager", type=json.loads, default={})
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls")
    chosen = parser.parse_args()
    set_all(chosen.settings)
    return chosen


class Control:
    """Reads commands and obeys them.

    :param service: the server.
    :param commanded: where the commands come from, line by line.
    """

    def __init__(self, service: Service, commanded: Iterable[str] = sys.stdin) -> None:
        self._service = service
        self._commanded = commanded
        self._broadcast: dict[str, Any] = {"running": False}
        self._hammer: dict[str, Any] = {"running": False}
        self._commands: dict[str, Callable[..., dict[str, Any]]] = {
            "state": self.state,
            "broadcast": self.broadcast,
            "hammer": self.hammer,
            "stop": self.stop,
            "start": self.start,
            "restart": self.restart,
            "clock": self.clock,
            "fork": self.fork,
        }

    def announce(self) -> None:
        """Say where the server listens, and obey from now on."""
        self._say({"port": self._service.port()})
        threading.Thread(target=self._run, name="control", daemon=True).start()

    def _run(self) -> None:
        for line in self._commanded:
            arguments = json.loads(line)
            command = self._commands[arguments.pop("do")]
            try:
                answer = command(**arguments)
            except Exception as error:  # noqa: BLE001 - the suite has to hear of whatever it was
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._say(answer)

    def _say(self, answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def state(self) -> dict[str, Any]:
        """Return everything that is counted."""
        websockets = self._service.websockets()
        latencies = [getattr(each, "latency", None) for each in websockets]
        return {
            **tally.as_dict(),
            "websockets": len(websockets),
            "with_latency": sum(each is not None for each in latencies),
            "threads": threading.active_count(),
            "broadcast": self._broadcast,
            "hammer": self._hammer,
        }

    def broadcast(self, count: int, size: int, seconds: float) -> dict[str, Any]:
        """Begin to send so many messages to all, in so many seconds."""
        self._broadcast = {"running": True, "calls": 0, "worst_ms": 0.0, "total_ms": 0.0}
        threading.Thread(target=self._send_to_all, args=(count, size, seconds), daemon=True).start()
        return {}

    def _send_to_all(self, count: int, size: int, seconds: float) -> None:
        shown, took = self._broadcast, []
        start = time.monotonic()
        for number in range(1, count + 1):
            pause = start + number * seconds / count - time.monotonic()
            time.sleep(max(0.0, pause))
            began = time.monotonic_ns()
            message = _STAMP.format(number, began).encode().ljust(size, b".")
            try:
                self._service.broadcast(message)
            except Exception as error:  # noqa: BLE001 - a broadcast never fails, and has
                shown.update(running=False, failed=f"{type(error).__name__}: {error}")
                return
            took.append((time.monotonic_ns() - began) / 1e6)
            shown.update(calls=number, worst_ms=max(took), total_ms=sum(took))
        took.sort()
        shown["p99_ms"] = took[int(len(took) * 0.99)]
        shown["p50_ms"] = took[len(took) // 2]
        shown["seconds"] = time.monotonic() - start
        shown["running"] = False

    def hammer(self, threads: int, messages: int) -> dict[str, Any]:
        """Have several threads send to the one member at once, all sizes; then close it."""
        target = next(each for each in self._service.websockets() if isinstance(each, Member))
        self._hammer = {"running": True, "sent": 0, "refused": {}}
        threading.Thread(target=self._hammer_on, args=(target, threads, messages)).start()
        return {}

    def _hammer_on(self, target: Any, threads: int, messages: int) -> None:
        crew = [
            threading.Thread(target=self._hammer_one, args=(target, number, messages))
            for number in range(threads)
        ]
        for each in crew:
            each.start()
        for each in crew:
            each.join()
        target.close(1000, "done")
        for _ in range(10):
            self._try_to_send(target, b"late")
        self._hammer["running"] = False

    def _hammer_one(self, target: Any, number: int, messages: int) -> None:
        for index in range(messages):
            size = (1, 20, 300, 5_000, 70_000, 200_000)[index % 97 % 6 if index % 97 < 6 else 1]
            body = bytes([number]) * size
            self._try_to_send(target, _check(body) + body)
            if index % 100 == 0:
                target.ping(b"between")

    def _try_to_send(self, target: Any, data: bytes) -> None:
        try:
            target.send(data, binary=True)
        except Exception as error:  # noqa: BLE001 - which kinds there are is what is to be seen
            refused = self._hammer["refused"]
            refused[type(error).__name__] = refused.get(type(error).__name__, 0) + 1
        else:
            with tally.lock:
                self._hammer["sent"] += 1

    def stop(self) -> dict[str, Any]:
        """Stop the server; say how long that took."""
        began = time.monotonic()
        self._service.stop()
        return {"seconds": time.monotonic() - began, **self.state()}

    def start(self) -> dict[str, Any]:
        """Start it again; say where it listens now."""
        self._service.start()
        return {"port": self._service.port()}

    def restart(self) -> dict[str, Any]:
        """Have the process's program replaced; the new one announces itself."""
        threading.Timer(0.2, self._service.restart).start()
        return {}

    def clock(self, shift: float) -> dict[str, Any]:
        """Set the wall clock of this program forward, or back."""
        real = time.time
        time.time = lambda: real() + shift
        return {"time": time.time()}

    def fork(self) -> dict[str, Any]:
        """Have a child that uses ws4py, as a WSGI master has; return how it ended."""
        pid = os.fork()
        if pid == 0:
            # It shares the output, and must not say what has been said before.
            os._exit(_child())
        _, status = os.waitpid(pid, 0)
        return {"status": os.waitstatus_to_exitcode(status)}


def _child() -> int:
    from ws4py.manager import WebSocketManager  # noqa: PLC0415 - only here

    manager = WebSocketManager()
    manager.start()
    manager.stop()
    manager.join(5.0)
    return int(manager.is_alive())


def _check(body: bytes) -> bytes:
    """Return four bytes that tell the receiver how long this is and who it is from."""
    return len(body).to_bytes(3, "big") + body[:1]
