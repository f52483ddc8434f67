"""`python chaos/run.py` without installing anything; the command line is in cli.py."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # The entry that Python made for this folder goes: from there its modules would answer to short
    # names that may be somebody else's.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    runpy.run_module("chaos", run_name="__main__")
