"""What every sent message runs through first.

A method is a function in a class, so it can be compiled where the class cannot,
since programs subclass and patch it: ``_sending_c`` is the same in C, and
:mod:`ws4py._sending` is the one that runs.
"""

from __future__ import annotations

from typing import Any

__all__ = ["send"]


def send(self: Any, payload: Any, binary: bool = False) -> None:
    """Send a message. Thread-safe.

    :param payload: ``str`` or bytes for a message in one frame; a
        :class:`~ws4py.messaging.Message` as it is; a generator of ``str`` or
        bytes for a message in as many fragments; a message made by
        :func:`ws4py.messaging.prepare`.
    :param binary: send a binary message, otherwise text, which has to be UTF-8.
    :raises ConnectionClosed: the connection is closing or closed.
    :raises TextFrameEncodingException: text that is not UTF-8.
    :raises ValueError: a payload of another type.
    """
    self._send(payload, binary)
