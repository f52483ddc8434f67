"""The ways in which a row can end without a figure."""

from __future__ import annotations


class ChaosError(Exception):
    """A part of the suite does not do what it has to: no verdict about the server."""


class CannotRunHereError(Exception):
    """This machine lacks what the row needs; the message says what."""
