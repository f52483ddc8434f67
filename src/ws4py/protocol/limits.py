"""How much one peer may make us hold, each figure with its reason.

Only the figures: the codec judges them, the shells let users set them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "DEFAULT_MAX_FRAGMENTS",
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_MAX_QUEUE",
    "DEFAULT_MAX_QUEUE_SIZE",
    "DEFAULT_MEMORY_BUDGET",
    "DEFAULT_PING_SECONDS",
    "DEFAULT_SECONDS",
    "DEFAULT_UNSENT_HARD_LIMIT",
    "DEFAULT_UNSENT_SOFT_LIMIT",
    "Limits",
]

#: 16 MiB: the largest message of the Autobahn test suite, so no legitimate
#: program of the 0.6 days meets it by surprise.
DEFAULT_MAX_MESSAGE_SIZE = 16 * 1024 * 1024

#: Fragments share one buffer, so the count only bounds the CPU time that a
#: message of empty frames can cost. Autobahn's case 9.3.1 needs 65,536.
DEFAULT_MAX_FRAGMENTS = 131_072

#: Where a peer stops to be read from and a thread that sends to it begins to wait: small
#: beside what the kernel buffers anyway, large enough to fill a segment at a time.
DEFAULT_UNSENT_SOFT_LIMIT = 64 * 1024

#: Where nobody can be made to wait, as in a broadcast, and the peer has to go.
DEFAULT_UNSENT_HARD_LIMIT = 1024 * 1024

#: Messages, and their bytes, that may wait for a worker before their peer is not read from.
DEFAULT_MAX_QUEUE = 16
DEFAULT_MAX_QUEUE_SIZE = 1024 * 1024

#: 512 MiB for all connections of a manager together, however many there are.
DEFAULT_MEMORY_BUDGET = 512 * 1024 * 1024

#: How long a peer may take to read, and to answer a close frame.
DEFAULT_SECONDS = 10.0

#: Below the 60 seconds after which common proxies cut a silent connection.
DEFAULT_PING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one connection; ``None`` switches one off.

    :param max_message_size: bytes in a message, all its fragments together.
    :param max_frame_size: bytes in a frame; ``None``: as long as its message may be.
    :param max_fragments: frames in a message, empty ones included.
    """

    max_message_size: int | None = DEFAULT_MAX_MESSAGE_SIZE
    max_frame_size: int | None = None
    max_fragments: int | None = DEFAULT_MAX_FRAGMENTS
