"""The inputs that a run begins with: the committed ones, and what earlier runs found."""

from __future__ import annotations

from pathlib import Path

from fuzz.places import CACHE, CORPUS

__all__ = ["committed", "found_folder", "named"]


def committed(target: str) -> list[bytes]:
    """Return the committed inputs of a target, in the order of their names."""
    return [data for _, data in named(target)]


def named(target: str) -> list[tuple[Path, bytes]]:
    """Return the committed inputs of a target with their files."""
    return [(path, path.read_bytes()) for path in sorted((CORPUS / target).iterdir())]


def found_folder(target: str) -> Path:
    """Return the folder for what coverage has been gained by; it grows from run to run."""
    folder = CACHE / "found" / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder
