"""isal, where it is installed (``ws4py[isal]``): large messages are compressed faster than by zlib.

What it makes is deflate data like any other, so the peer need not know.
"""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["WORTHWHILE_FROM", "fast_deflater"]

_isal: Any = None
with contextlib.suppress(ImportError):
    from isal import isal_zlib as _isal

#: Bytes of a message from which on it is faster: its state is larger, and made for each.
WORTHWHILE_FROM = 1024

# Its level for each of zlib's. Who asks zlib for more wants bytes saved, which it does not.
_LEVELS = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 2}


def fast_deflater(level: int, bits: int) -> Any:
    """Return what zlib's ``compressobj`` would for raw deflate data, for one message.

    :param level: zlib's compression level.
    :param bits: two to this power, in bytes, is how far back it looks; 9 to 15.
    :returns: ``None`` where isal is not installed, or has nothing like this level.
    """
    if _isal is None or level not in _LEVELS:
        return None
    return _isal.compressobj(_LEVELS[level], _isal.DEFLATED, -bits)
