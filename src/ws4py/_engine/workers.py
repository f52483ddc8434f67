"""Threads for callbacks, so that a handler that takes its time holds up its own connection only.

They run calls; that those of one connection are in order is the business of
:mod:`ws4py._engine.worked`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial

from ws4py._engine.guard import guarded
from ws4py._log import logger

__all__ = ["Workers"]


class Workers:
    """An executor, and how many of its calls have not ended. Thread-safe.

    :param given: how many threads, or a program's own executor, which is never shut down.
    :param name: of the threads.
    :raises ValueError: no thread at all.
    """

    def __init__(self, given: int | Executor, name: str) -> None:
        if isinstance(given, Executor):
            self._executor, self._is_own = given, False
        elif given < 1:
            raise ValueError(f"workers has to be at least 1, not {given}")
        else:
            self._executor, self._is_own = ThreadPoolExecutor(given, f"{name}-worker"), True
        # Threads that have not been started yet.
        self._missing = given if self._is_own and isinstance(given, int) else 0
        self._unfinished = 0
        self._changed = threading.Condition()
        # Calls that the executor will not make; None while nobody makes them.
        self._cancelled: deque[Callable[[], object]] | None = None

    def submit(self, call: Callable[[], object]) -> None:
        """Have a call made by a worker; where there is none any more, by the caller."""
        with self._changed:
            self._unfinished += 1
            missing, self._missing = self._missing, 0
        try:
            self._start(missing)
            future = self._executor.submit(self._run, call)
        except RuntimeError:
            # The program has shut its executor down, or the interpreter is at its end.
            logger.exception("There is no worker for a websocket's callback")
            self._run(call)
            return
        future.add_done_callback(partial(self._look_after, call))

    def _start(self, number: int) -> None:
        """Have the executor start all its threads.

        It starts one when it knows of none that is idle, and takes for idle what has just ended a
        call, though it may be at the next already: behind which others would wait.
        """
        if not number:
            return
        all_there = threading.Barrier(number)
        try:
            for _ in range(number):
                self._executor.submit(all_there.wait)
        except RuntimeError:
            all_there.abort()
            raise

    def _look_after(self, call: Callable[[], object], future: Future[None]) -> None:
        """A call is over: if it has been cancelled, make it nevertheless, in order to go on."""
        if not future.cancelled():
            return
        with self._changed:
            begun = self._cancelled is not None
            if self._cancelled is None:
                self._cancelled = deque()
            self._cancelled.append(call)
        if not begun:
            logger.error("A websocket's callback was cancelled; a thread of its own makes it")
            # Not this one: an executor that cancels holds its lock, which the call may need.
            threading.Thread(target=self._run_cancelled, name="ws4py-cancelled").start()

    def _run_cancelled(self) -> None:
        while True:
            with self._changed:
                if not self._cancelled:
                    self._cancelled = None
                    return
                call = self._cancelled.popleft()
            self._run(call)

    def _run(self, call: Callable[[], object]) -> None:
        guarded(call)
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()

    def stop(self, seconds: float) -> None:
        """Wait until all calls have ended, but not for ever, and end the threads."""
        with self._changed:
            ended = self._changed.wait_for(lambda: not self._unfinished, seconds)
        if not ended:
            logger.error("A websocket's handler is still in a callback; not waiting for it")
        if self._is_own:
            self._executor.shutdown(wait=ended)
