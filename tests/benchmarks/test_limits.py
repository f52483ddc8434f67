from __future__ import annotations

import resource

import pytest

from benchmarks import limits


class Kernel:
    """A kernel's limits for one process."""

    def __init__(self, soft, hard, *, root) -> None:
        self.now = (soft, hard)
        self.root = root

    def get(self, _which):
        return self.now

    def set(self, _which, asked):
        soft, hard = asked
        if hard > self.now[1] and not self.root:
            raise ValueError("not allowed to raise maximum limit")
        assert soft <= hard
        self.now = asked


@pytest.mark.parametrize(
    ("soft", "hard", "root", "expected"),
    [
        (1024, 100_000, False, (50_000, 100_000)),
        (1024, 4096, True, (50_000, 50_000)),
        (1024, 4096, False, (4096, 4096)),
    ],
)
def test_as_many_as_may_be(monkeypatch, soft, hard, root, expected):
    kernel = Kernel(soft, hard, root=root)
    monkeypatch.setattr(resource, "getrlimit", kernel.get)
    monkeypatch.setattr(resource, "setrlimit", kernel.set)
    assert limits.raise_descriptors(50_000) == expected[0]
    assert kernel.now == expected


def test_what_cannot_be_changed_stays(monkeypatch):
    def refuses(_which, _asked):
        raise OSError("forbidden")

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuses)
    assert limits.raise_descriptors(50_000) == 1024
