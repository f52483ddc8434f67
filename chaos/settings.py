"""What the server under test is set to, and so what the bounds of the rows are made of.

Short times, so that a run stays short; everything else is what ws4py ships. A row says what it
wants otherwise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

KIB = 1024
MIB = 1024 * 1024

#: What a process may hold more without anybody having kept something: CPython's allocator takes
#: arenas of 1 MiB, and a thread that runs for the first time touches its stack.
SLACK = 1 * MIB

#: How much more memory, and how many more descriptors, may be left two seconds after a row.
RSS_LEFT = 8 * MIB
DESCRIPTORS_LEFT = 2


class Settings(NamedTuple):
    """Settings of every handler class."""

    open_timeout: float = 2.0
    close_timeout: float = 2.0
    write_timeout: float = 2.0
    ping_interval: float | None = 1.0
    ping_timeout: float | None = 1.0
    max_message_size: int = 16 * MIB
    max_frame_size: int | None = None
    max_fragments: int = 131_072
    max_queue: int = 16
    max_queue_size: int = 1 * MIB
    unsent_soft_limit: int = 64 * KIB
    unsent_hard_limit: int = 1 * MIB

    def with_(self, changes: dict[str, Any]) -> Settings:
        """Return these with some changed."""
        return self._replace(**changes)
