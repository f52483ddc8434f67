"""Inputs by atheris, which is led by what they reach in the code.

A program of its own, run by the interpreter of an environment that has atheris:
``python -m fuzz.by_atheris TARGET [options of libFuzzer] [folders]``. An input that breaks an
invariant is written where ``-artifact_prefix`` says, by libFuzzer.
"""

from __future__ import annotations

import sys

import atheris

_INSTRUMENTED = ["ws4py"]


def main() -> None:
    """Fuzz; libFuzzer ends the process."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from fuzz.targets import load  # noqa: PLC0415 - only what is imported here is instrumented

        target = load(name)
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
