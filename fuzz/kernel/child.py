"""A process on the kernel with bad days: ``python -m fuzz.kernel.child BUILD FIRST COUNT``.

It says the seed before it runs it, so that whoever started it knows which one it was.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import sys
import threading

from fuzz.kernel.scenario import DEADLINE, Scenario
from fuzz.kernel.shim import Kernel
from ws4py._engine.lane import COMPILED

__all__ = ["main"]


def main(build: str, first: int, count: int) -> int:
    """Run some seeds on a build, which was chosen by the environment."""
    if COMPILED is (build == "pure"):
        print(f"there is no {build} build here: python setup.py build_ext --inplace")
        return 2
    logging.getLogger("ws4py").setLevel(logging.CRITICAL)
    # A manager whose kernel gives it no descriptor ends with an OSError, as it should.
    threading.excepthook = _passing
    kernel = Kernel()
    for seed in range(first, first + count):
        print(f"seed {seed}", flush=True)
        # A connection has to close its descriptor itself, not when somebody happens to collect it.
        gc.collect(1)
        gc.disable()
        faulthandler.dump_traceback_later(2 * DEADLINE, exit=True)
        Scenario(kernel, seed).run()
        faulthandler.cancel_dump_traceback_later()
        gc.enable()
    done = ", ".join(f"{times} {what}" for what, times in kernel.done().items())
    print(f"{count} seeds: {done}")
    return 0


def _passing(arguments: threading.ExceptHookArgs) -> None:
    if not issubclass(arguments.exc_type, OSError):
        threading.__excepthook__(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:4])))
