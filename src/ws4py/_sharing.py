"""One object for texts that many connections hold alike.

Not ``sys.intern``: CPython 3.12 keeps what is interned for ever, and these come from peers.
"""

from __future__ import annotations

import functools

__all__ = ["shared"]

#: Texts that are remembered, and how long one may be.
_MOST = 1024
_LONGEST = 256


def shared(text: str) -> str:
    """Return ``text``, or one like it that others hold already."""
    return text if len(text) > _LONGEST else _remembered(text)


@functools.lru_cache(maxsize=_MOST)
def _remembered(text: str) -> str:
    return text
