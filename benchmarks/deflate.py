"""How long a message takes to compress, by zlib and by isal: ``python -m benchmarks.deflate``.

Each message by itself, as without context takeover, with the default options. The two are
measured in turns, and the best of several rounds counts. No server takes part.
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Callable
from typing import Any

from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.fast_deflate import fast_deflater

_SIZES = (256, 1024, 4096, 16384, 65536, 1 << 20)
_ROUNDS = 5
_SECONDS = 0.05


def _message(size: int) -> bytes:
    """Records as an application sends them."""
    chosen, records = random.Random(size), []  # noqa: S311 - the same each time
    text = ""
    while len(text) < size:
        name = chosen.choice(["anna", "bert", "carl"])
        records.append({"id": chosen.randrange(10**6), "user": name, "value": chosen.random()})
        text = json.dumps(records) if len(records) % 20 == 0 else text
    return text[:size].encode()


def _compressed(make: Callable[[], Any], message: bytes) -> bytes:
    deflater = make()
    data: bytes = deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return data


def _microseconds(make: Callable[[], Any], message: bytes) -> float:
    began, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < _SECONDS:
        _compressed(make, message)
        count += 1
    return elapsed / count * 1e6


def main() -> None:
    """Print a row for each size."""
    options = PerMessageDeflate()
    level, bits = options.level, options.server_max_window_bits
    if fast_deflater(level, bits) is None:
        raise SystemExit("isal is not installed: pip install ws4py[isal]")
    makers: dict[str, Callable[[], Any]] = {
        "zlib": lambda: zlib.compressobj(level, zlib.DEFLATED, -bits, options.mem_level),
        "isal": lambda: fast_deflater(level, bits),
    }
    print("  bytes" + "".join(f"{name + ' µs':>10}{'bytes':>9}" for name in makers))
    for size in _SIZES:
        message = _message(size)
        best = dict.fromkeys(makers, float("inf"))
        for _ in range(_ROUNDS):
            for name, make in makers.items():
                best[name] = min(best[name], _microseconds(make, message))
        cells = (
            f"{best[name]:>10.1f}{len(_compressed(make, message)):>9}"
            for name, make in makers.items()
        )
        print(f"{size:>7}" + "".join(cells))


if __name__ == "__main__":
    main()
