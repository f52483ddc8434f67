"""Texts that connections share: how many, and how long ones."""

from ws4py._sharing import _LONGEST, _MOST, shared


def text(number):
    """An object of its own each time."""
    return f"text {number}"


def test_equal_texts_are_one():
    assert text(1) is not text(1)
    assert shared(text(1)) is shared(text(1))


def test_long_ones_are_not_kept():
    long = "x" * (_LONGEST + 1)
    assert shared(long) is long
    again = long[:1] + long[1:]
    assert shared(again) is again


def test_those_of_long_ago_are_forgotten():
    first = shared(text("first"))
    for number in range(_MOST):
        shared(text(number))
    assert shared(text("first")) is not first
