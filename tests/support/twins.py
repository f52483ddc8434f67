"""Modules that there are twice, compiled and in pure Python."""

import importlib
import os
import runpy
import sys

import pytest

from ws4py import _twins

__all__ = ["build", "builds", "compiled", "selected"]


def compiled(name):
    """The compiled module, or the reason to skip; in CI a missing one is a failure."""
    if _twins.PURE:
        pytest.skip("WS4PY_PURE_PYTHON is set")
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
            raise
        pytest.skip(f"{name} has not been compiled here")


def builds(pure, name):
    """Parameters of a fixture: both builds of a module."""
    found = [pytest.param(pure, id="pure")]
    return found if _twins.PURE else [*found, pytest.param(name, id="compiled")]


def build(parameter):
    """The module that a parameter of :func:`builds` stands for."""
    return compiled(parameter) if isinstance(parameter, str) else parameter


def selected(monkeypatch, module, *, pure=False, missing=None):
    """The names of a fresh copy of a module that chooses between two builds."""
    monkeypatch.setattr(_twins, "PURE", pure)
    if missing is not None:
        monkeypatch.setitem(sys.modules, missing, None)
    return runpy.run_path(module.__file__, run_name=module.__name__)
