"""Masking and UTF-8, of the build that runs; see :mod:`ws4py._wire.octets_py`."""

from __future__ import annotations

import contextlib

from ws4py._twins import PURE
from ws4py._wire.octets_py import Utf8Checker, apply_mask, check_text

if not PURE:
    with contextlib.suppress(ImportError):
        from ws4py._wire.octets_c import Utf8Checker, apply_mask, check_text

__all__ = ["Utf8Checker", "apply_mask", "check_text"]
