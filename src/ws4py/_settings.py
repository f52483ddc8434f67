"""The settings of a connection, under one name wherever a program may give them.

A handler class has them as attributes; a server's shell and a manager take them as
keywords, and put them onto each connection here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ws4py.protocol.limits import (
    DEFAULT_MAX_FRAGMENTS,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_MAX_QUEUE,
    DEFAULT_MAX_QUEUE_SIZE,
    DEFAULT_PING_SECONDS,
    DEFAULT_SECONDS,
    DEFAULT_UNSENT_HARD_LIMIT,
    DEFAULT_UNSENT_SOFT_LIMIT,
    Limits,
)
from ws4py.streaming import Stream

__all__ = ["Settings", "apply", "checked", "fill_in"]


class Settings:
    """What a handler class may set, and its defaults; ``None`` switches a limit off."""

    #: Bytes in a received message (1009 to who exceeds it).
    max_message_size: int | None = DEFAULT_MAX_MESSAGE_SIZE
    #: Bytes in a received frame, ``None`` for no limit of its own (1009).
    max_frame_size: int | None = None
    #: Frames in a received message, empty ones included (1008).
    max_fragments: int | None = DEFAULT_MAX_FRAGMENTS
    #: Messages that may wait for a worker; the peer is not read from while they do.
    max_queue: int | None = DEFAULT_MAX_QUEUE
    #: Bytes of messages that may wait for a worker, in the same way.
    max_queue_size: int | None = DEFAULT_MAX_QUEUE_SIZE
    #: Bytes that may be unsent before the peer is not read from any more, and before
    #: ``send()`` waits, wherever it can do so without holding up others.
    unsent_soft_limit: int | None = DEFAULT_UNSENT_SOFT_LIMIT
    #: Bytes that may be queued beyond that where ``send()`` cannot wait, as in a broadcast,
    #: before one more message shows the peer to be a slow consumer, which is closed (1008).
    unsent_hard_limit: int | None = DEFAULT_UNSENT_HARD_LIMIT
    #: Seconds that ``send()`` waits, and that a peer may take nothing at all (1008).
    write_timeout: float | None = DEFAULT_SECONDS
    #: Seconds from our close frame to the end of the TCP connection.
    close_timeout: float = DEFAULT_SECONDS
    #: Seconds between pings of a manager, unless ``heartbeat_freq`` says otherwise.
    ping_interval: float | None = DEFAULT_PING_SECONDS
    #: Seconds that a peer may be silent after a ping; then it is gone (1006).
    ping_timeout: float | None = DEFAULT_PING_SECONDS


_SECONDS = frozenset(("close_timeout", "write_timeout", "ping_interval", "ping_timeout"))
_NAMES = [name for name in vars(Settings) if not name.startswith("_")]
_OF_MESSAGES = ("max_message_size", "max_frame_size", "max_fragments")


def checked(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings that were given, all of them known and sensible.

    :param where: who was given them, for the error.
    :raises TypeError: there is none of this name, or its value is no number.
    :raises ValueError: the value is negative.
    """
    for name, value in settings.items():
        if name not in _NAMES:
            raise TypeError(f"{where} has no setting {name!r}; there are {', '.join(_NAMES)}")
        # An end that may take for ever would be none.
        if value is None and name != "close_timeout":
            continue
        kinds = (int, float) if name in _SECONDS else int
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise TypeError(f"{name} has to be a number, not {value!r}")
        # Which is not true of what is no number at all, either.
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, which {value!r} is")
    return dict(settings)


def apply(websocket: Any, settings: Mapping[str, Any]) -> None:
    """Put settings onto a connection that has not received anything yet."""
    for name, value in settings.items():
        setattr(websocket, name, value)
    stream = getattr(websocket, "stream", None)
    # A handler that is not ours reads frames in its own way.
    if isinstance(stream, Stream) and any(name in settings for name in _OF_MESSAGES):
        stream.connection.limits = Limits(*(getattr(websocket, name) for name in _OF_MESSAGES))


def fill_in(websocket: Any, settings: Mapping[str, Any], base: type) -> None:
    """Put settings onto a connection where neither it nor its class has its own.

    To be called by whoever takes the connection, with settings or without: what a program has
    put onto it since it was made is as good as what its class has.

    :param base: the class whose attributes are the defaults.
    """
    if settings:
        classes = type(websocket).__mro__
        own = [vars(websocket), *map(vars, classes[: classes.index(base)])]
        missing = {
            name: value for name, value in settings.items() if not any(name in each for each in own)
        }
        apply(websocket, missing)
    _settle(websocket)


def _settle(websocket: Any) -> None:
    """Have what is received be limited by the connection's own attributes."""
    kind = type(websocket)
    # Hardly any has some. (Its dictionary would be made for being looked at.)
    changed = {
        name: value
        for name in _OF_MESSAGES
        if (value := getattr(websocket, name)) is not getattr(kind, name)
    }
    stream = websocket.stream
    # A message that has been begun is received as it was begun.
    if changed and isinstance(stream, Stream) and stream.connection.at_rest:
        stream.connection.limits = replace(stream.connection.limits, **changed)
