"""The package as a program."""

from __future__ import annotations

import signal
import sys

from chaos.cli import main

if __name__ == "__main__":
    # Without this a run that is told to end would leave its server and its storm behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    sys.exit(main())
