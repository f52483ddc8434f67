"""Errors that are no callback's own, but meant for the thread or greenlet that runs it."""

from __future__ import annotations

__all__ = ["is_kill", "passes"]


def is_kill(error: BaseException) -> bool:
    """Whether ``error`` is to end whoever runs a callback, and not just the callback.

    Everything else costs one connection: ``SystemExit``, which on a manager's thread would
    silently end the service for all others, and ``asyncio.CancelledError`` as well.
    """
    # greenlet's is known by its name, since there may be no greenlet.
    kinds = type(error).__mro__
    return isinstance(error, KeyboardInterrupt) or any(
        kind.__name__ == "GreenletExit" for kind in kinds
    )


def passes(error: BaseException, managed: bool) -> bool:
    """Whether an error of a connection's callback is for who runs it.

    :param managed: by a manager or pool, and not by the program itself, which may have set a
        limit of time around its thread's or greenlet's work, say.
    """
    if isinstance(error, (Exception, SystemExit)):
        return False
    return not managed or is_kill(error)
