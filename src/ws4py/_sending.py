"""What every sent message runs through first, of the build that runs."""

from __future__ import annotations

import contextlib

from ws4py._sending_py import send
from ws4py._twins import PURE

if not PURE:
    with contextlib.suppress(ImportError):
        from ws4py._sending_c import send

__all__ = ["send"]
