"""The process's own manager, for servers that bring none.

Started on first use, so after a server's fork; one for each process; stopped at
the end of the process, which sends 1001 to every websocket. Where gevent has
replaced the threads it is a pool of gevent's.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ws4py.manager import WebSocketManager

__all__ = ["default_manager", "made_manager"]

#: How long a signal may have to wait for its handler while the process ends.
_SLICE_SECONDS = 0.1


class _Own:
    """What belongs to this process."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the parent's manager: its thread is not in this process."""
        self.gate = threading.Lock()
        self.manager: Any = None
        self.stop: Callable[[], object] = bool


_own = _Own()


def default_manager() -> Any:
    """The running manager of this process."""
    with _own.gate:
        if _own.manager is None:
            _make()
        return _own.manager


def made_manager() -> Any:
    """The manager of this process, ``None`` while it has none: nobody is served by it yet."""
    return _own.manager


def _make() -> None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        from ws4py.server._gevent_pool import GEventWebSocketPool  # noqa: PLC0415 - needs gevent

        pool = _own.manager = GEventWebSocketPool()
        _own.stop = functools.partial(_stop_pool, pool)
        return
    manager = _own.manager = WebSocketManager()
    # The interpreter waits for all other threads before it calls atexit.
    manager.daemon = True
    manager.start()
    _own.stop = functools.partial(_stop_manager, manager)


def _stop_pool(pool: Any) -> None:
    pool.refusing = True
    pool.clear()


def _stop_manager(manager: WebSocketManager) -> None:
    manager.stop()
    # In slices, for signals are handled by this thread alone, and one that restarts system calls
    # (gunicorn 23 has SIGTERM do so) does not wake it. Under a tracer CPython 3.11 lets no other
    # thread go on while one is pending.
    while manager.is_alive():
        manager.join(_SLICE_SECONDS)


def _stop() -> None:
    # It stays the one of this process, and turns away who is handed over too late.
    _own.stop()


atexit.register(_stop)
os.register_at_fork(after_in_child=_own.reset)
