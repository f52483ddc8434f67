"""The border between the loop and code of programs: nothing raised crosses it.

Callbacks are guarded in :mod:`ws4py.websocket` already, where the peer is told;
this is for what else a program may have overridden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ws4py._kill import is_kill
from ws4py._log import logger
from ws4py.exc import ConnectionClosed

__all__ = ["guarded"]


def guarded(call: Callable[..., Any], *arguments: Any, raised: Any = None, **named: Any) -> Any:
    """Call, and return the result; ``raised`` when it raised, which is logged."""
    try:
        return call(*arguments, **named)
    except ConnectionClosed:
        # Lost a race with the end of its connection.
        return None
    except BaseException as error:
        if is_kill(error):
            raise
        logger.exception("%s raised", getattr(call, "__qualname__", call))
        return raised
