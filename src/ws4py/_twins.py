"""Which of two builds runs: a compiled module, or the same in pure Python.

A compiled module is there when a C compiler was at the time of installation. Setting
``WS4PY_PURE_PYTHON=1`` before ws4py is imported leaves it aside.
"""

from __future__ import annotations

import os

__all__ = ["PURE"]

#: The user has asked for pure Python.
PURE = os.environ.get("WS4PY_PURE_PYTHON", "") not in ("", "0")
