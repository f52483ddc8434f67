"""Errors that are no callback's own, but meant for the thread or greenlet that runs it."""

from __future__ import annotations

__all__ = ["is_kill"]


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
