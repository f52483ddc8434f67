"""A toy extension: it owns RSV1 and changes every byte of a message with 0x55."""

from ws4py.exc import FrameTooLargeException, HandshakeError

NAME = "x-toy"


class Toy:
    """The transformation. Payloads that start with ``!`` are left as they are."""

    rsv = 0x40
    sharing_key = "toy"

    def decode(self, data, final, limit):
        if limit is not None and len(data) > limit:
            raise FrameTooLargeException("toy message above the limit")
        return bytes(octet ^ 0x55 for octet in data)

    def encode(self, opcode, payload):
        if payload.startswith(b"!"):
            return None
        return bytes(octet ^ 0x55 for octet in payload)


class ToyFactory:
    """The negotiation: a client offers ``level``, a server declines levels it has not."""

    name = NAME

    def __init__(self, level="1") -> None:
        self.level = level

    def offer(self):
        return [("level", self.level), ("quick", None)]

    def accept(self, offered):
        return ([("level", self.level)], Toy()) if ("level", self.level) in offered else None

    def confirm(self, answered):
        if answered != [("level", self.level)]:
            raise HandshakeError(f"not the level that was offered: {answered!r}")
        return Toy()
