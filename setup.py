"""The compiled modules. Each is optional: without a C compiler ws4py runs in pure Python.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import os
import sys

from setuptools import Extension, setup

WIRE, ENGINE = "src/ws4py/_wire", "src/ws4py/_engine"
OCTETS = f"{WIRE}/octets.h"


def wanted() -> bool:
    """Tell whether anything is to be compiled."""
    pure = os.environ.get("WS4PY_PURE_PYTHON", "") not in ("", "0")
    return not pure and sys.implementation.name == "cpython"


def sources() -> list[Extension]:
    """Return the modules as Cython takes them."""
    modules = [
        Extension("ws4py._wire.octets_c", [f"{WIRE}/octets_c.pyx"], depends=[OCTETS]),
        # One source, two modules: the file runs as it is, too.
        Extension("ws4py._wire.codec_c", [f"{WIRE}/codec_py.py"]),
        Extension("ws4py._messaging_c", ["src/ws4py/_messaging_c.pyx"]),
        Extension("ws4py._sending_c", ["src/ws4py/_sending_c.pyx"]),
    ]
    if sys.platform.startswith("linux"):  # epoll
        headers = [OCTETS, f"{ENGINE}/outgoing.h"]
        modules.append(Extension("ws4py._engine.lane_c", [f"{ENGINE}/lane_c.pyx"], depends=headers))
    return modules


def compiled() -> list[Extension]:
    """Return the modules as the C compiler takes them."""
    from Cython.Build import cythonize  # noqa: PLC0415 - not there where nothing is compiled

    extensions: list[Extension] = cythonize(
        sources(),
        # Generated C stays out of the source tree.
        build_dir="build/cython",
        language_level=3,
        compiler_directives={
            # What a peer sent is indexed behind a check of its length.
            "boundscheck": False,
            "wraparound": False,
            # Types are those of the .pxd.
            "annotation_typing": False,
        },
    )
    for extension in extensions:
        extension.include_dirs += [WIRE, ENGINE]
        extension.extra_compile_args.append("-O3")
        # Set on what cythonize() returns, for it forgets what it was given.
        extension.optional = True
    return extensions


setup(ext_modules=compiled() if wanted() else [])
