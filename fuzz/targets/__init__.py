"""What is fed with bytes: a module each, with one function that says what has to hold."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

__all__ = ["NAMES", "Target", "load"]

#: The modules beside this one.
NAMES = ("frames", "connection", "handshake", "headers", "deflate")


class Target(Protocol):
    """A module of this folder."""

    #: Words of the grammar, which nobody would find by chance.
    WORDS: tuple[bytes, ...]

    def check(self, data: bytes) -> None:
        """Return when every invariant holds for the input; anything that is raised is a find."""


def load(name: str) -> Target:
    """Return a target by its name."""
    assert name in NAMES, name
    return cast("Target", importlib.import_module(f"fuzz.targets.{name}"))
