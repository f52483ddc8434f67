"""One message for many connections: checked once, framed once, compressed once.

It holds frames and knows no connection; which of its frames fits is asked by
:meth:`ws4py.protocol.connection.Connection.send_prepared`.
"""

from __future__ import annotations

from collections.abc import Hashable

from ws4py._wire.codec import build_frame
from ws4py._wire.codes import TEXT
from ws4py._wire.extension import MessageExtension
from ws4py._wire.octets import check_text

__all__ = ["PreparedMessage"]


class PreparedMessage:
    """A whole message to be sent to many peers.

    Its payload is kept once, however many connections have it in their queues. It
    may be sent as often as wanted, from any thread.

    :param opcode: text or binary.
    :param data: the payload.
    :raises ws4py.exc.TextFrameEncodingException: text that is not UTF-8.
    """

    __slots__ = ("_frames", "data", "opcode")

    def __init__(self, opcode: int, data: bytes) -> None:
        if opcode == TEXT:
            check_text(data)
        self.opcode = opcode
        self.data = data
        # By what extensions have in common that compress alike; None: no extension. Two
        # threads may both build one, of which either will do.
        self._frames: dict[Hashable | None, bytes] = {}

    def frame(self, extension: MessageExtension | None) -> bytes | None:
        """Return the unmasked frame for connections with this extension.

        ``None`` for an extension whose frames are of use to one connection only.
        """
        key = None
        if extension is not None:
            key = extension.sharing_key
            if key is None:
                return None
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = self._build(extension)
        return frame

    def _build(self, extension: MessageExtension | None) -> bytes:
        encoded = None if extension is None else extension.encode(self.opcode, self.data)
        if extension is None or encoded is None:
            return build_frame(self.opcode, self.data)
        return build_frame(self.opcode, encoded, True, extension.rsv)
