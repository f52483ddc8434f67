"""Descriptors: ten thousand connections need more than a shell usually allows."""

from __future__ import annotations

import resource

# Some servers have four for each connection.
WANTED = 60_000


def raise_descriptors(wanted: int = WANTED) -> int:
    """Allow this process, and those it starts, as many as may be; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, limit), limit))
        except (ValueError, OSError):
            # Only root may raise the second one.
            continue
        return min(wanted, limit)
    return soft
