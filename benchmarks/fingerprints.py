"""Tells whether something that was made before is still what would be made now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

# What an installation of this checkout is made from.
SOURCES = ("src", "pyproject.toml", "setup.py", "README.md", "LICENSE")
_MADE = {".pyc", ".so", ".pyd"}


def source_files(root: Path) -> list[Path]:
    """Return the files that ws4py is built from, without what was built from them."""
    found: list[Path] = []
    for name in SOURCES:
        place = root / name
        found += place.rglob("*") if place.is_dir() else [place]
    return sorted(
        path
        for path in found
        if path.is_file() and path.suffix not in _MADE and ".egg-info" not in str(path)
    )


def of_files(paths: Iterable[Path]) -> str:
    """Return one short word for these files, their places and contents."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
