"""`python -m fuzz`: see cli.py."""

from __future__ import annotations

import sys

from fuzz.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
