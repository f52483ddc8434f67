"""Where things are: the checkout, the committed corpus, and what a run leaves behind."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CACHE", "CORPUS", "CRASHES", "ROOT", "SOURCES"]

ROOT = Path(__file__).resolve().parent.parent
#: Committed inputs, a folder for each target.
CORPUS = ROOT / "fuzz" / "corpus"
#: What is written in C.
SOURCES = ROOT / "fuzz" / "c"
#: Environments, builds and inputs that a run found interesting; not committed.
CACHE = ROOT / ".cache" / "fuzz"
#: Inputs that broke an invariant.
CRASHES = CACHE / "crashes"
