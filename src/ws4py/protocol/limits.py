"""How much one peer may make us hold, each figure with its reason.

Only the figures: the codec judges them, the shells let users set them.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_MAX_FRAGMENTS", "DEFAULT_MAX_MESSAGE_SIZE", "Limits"]

#: 16 MiB: the largest message of the Autobahn test suite, so no legitimate
#: program of the 0.6 days meets it by surprise.
DEFAULT_MAX_MESSAGE_SIZE = 16 * 1024 * 1024

#: Fragments share one buffer, so the count only bounds the CPU time that a
#: message of empty frames can cost. Autobahn's case 9.3.1 needs 65,536.
DEFAULT_MAX_FRAGMENTS = 131_072


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
