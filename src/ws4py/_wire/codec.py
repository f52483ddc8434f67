"""The frame parser and builder, of the build that runs; see :mod:`ws4py._wire.codec_py`."""

from __future__ import annotations

import contextlib

from ws4py._twins import PURE
from ws4py._wire.codec_py import FAILED, MessageReader, build_frame, build_header

if not PURE:
    with contextlib.suppress(ImportError):
        from ws4py._wire.codec_c import MessageReader, build_frame, build_header

__all__ = ["FAILED", "MessageReader", "build_frame", "build_header"]
