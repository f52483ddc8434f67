"""Closing a connection that came too late or was one too many.

Its handshake is complete, so it gets a close frame; none of its handler's
callbacks is called.
"""

from __future__ import annotations

import os
from typing import Any

from ws4py._log import logger
from ws4py._transport import transport_for
from ws4py._wire.closing import build_close_payload
from ws4py._wire.codec import build_frame
from ws4py._wire.codes import CLOSE

__all__ = ["turn_away"]

_DISCARD_SIZE = 64 * 1024


def turn_away(sock: Any, code: int, reason: str, mask: bool = False) -> None:
    """Send a close frame and close the socket, without waiting.

    :param code: the close code that says why.
    :param mask: whether we are the client (section 5.3).
    """
    transport = transport_for(sock)
    key = os.urandom(4) if mask else None
    try:
        transport.send(build_frame(CLOSE, build_close_payload(code, reason), key=key))
        # Closing with unread input would reset the connection under our frame.
        transport.recv(_DISCARD_SIZE)
    except OSError as error:
        logger.debug("Connection lost while it was turned away: %s", error)
    transport.half_close()
    transport.close()
