"""The compiled modules with ASan and UBSan: their tests, the corpus, and the kernel with bad days.

``python -m fuzz.sanitize``. They are built from a copy of the sources, so the ones in use stay as
they are. Leaks are not looked for: the interpreter has many of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fuzz.kernel.shim import compiler, library
from fuzz.places import CACHE, ROOT

__all__ = ["main"]

_FOLDER = CACHE / "sanitize"
_REPORTS = _FOLDER / "reports"
_COPIED = ("src", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in")
_MODULES = ("_wire/octets_c", "_wire/codec_c", "_messaging_c", "_sending_c", "_engine/lane_c")
_FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
_TESTS = (
    "tests/_wire",
    "tests/_engine/test_lane.py",
    "tests/_engine/test_lane_agrees.py",
    "tests/_engine/test_lane_messages.py",
    "tests/_engine/test_lane_turns.py",
    "tests/test_messaging.py",
    "tests/test_sending.py",
    "tests/test_manager_broadcast.py",
    "tests/protocol/test_connection_fuzzed.py",
)
#: Moves as many bytes as take minutes here.
_LEFT_OUT = "test_no_more_is_taken_than_is_sent"
_SEEDS = "200"


def main() -> int:
    """Build, and run everything; return 0 when nothing was found."""
    build()
    variables = environment()
    python = sys.executable
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=600"]
    pytest += ["--numprocesses=2", "--dist=loadfile", "-k", f"not {_LEFT_OUT}", *_TESTS]
    corpus = [python, "fuzz/run.py", "--corpus"]
    kernel = [python, "-m", "fuzz.kernel.child", "compiled", "0", _SEEDS]
    preloaded = f"{variables['LD_PRELOAD']}:{library()}"
    runs = (
        ("which modules", [python, "-c", _WHICH], variables),
        ("tests", pytest, variables),
        ("corpus", corpus, variables),
        ("kernel", kernel, {**variables, "LD_PRELOAD": preloaded}),
    )
    for name, command, with_variables in runs:
        print(f"sanitize: {name}", flush=True)
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=with_variables,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
        )
        told = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        reports = [path.read_text(errors="replace") for path in _REPORTS.iterdir()]
        if done.returncode or reports:
            print("\n".join([*told[-60:], *(each[:5000] for each in reports[:3])]))
            print(f"sanitize: {name} FAILED with status {done.returncode}")
            return 1
        print("\n".join(told[-1:]), flush=True)
    print("sanitize: nothing found")
    return 0


#: Says which modules run, and that they are the sanitized ones.
_WHICH = """
from ws4py._wire import octets_c, codec_c
from ws4py import _messaging_c, _sending_c
from ws4py._engine import lane_c
files = [each.__file__ for each in (octets_c, codec_c, _messaging_c, _sending_c, lane_c)]
assert all("sanitize" in each for each in files), files
print(*files)
"""


def build() -> None:
    """Build the modules into a folder of their own.

    :raises SystemExit: that is not possible here.
    """
    copy = _FOLDER / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.rmtree(_REPORTS, ignore_errors=True)
    _REPORTS.mkdir(parents=True)
    copy.mkdir(parents=True)
    leave = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=leave)
        else:
            shutil.copyfile(source, copy / name)
    variables = {**os.environ, "CFLAGS": _FLAGS, "LDFLAGS": "-fsanitize=address,undefined"}
    variables.pop("WS4PY_PURE_PYTHON", None)
    print("sanitize: building", flush=True)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=copy,
        env=variables,
        check=False,
        capture_output=True,
        text=True,
    )
    # A module that does not build is left out without an error.
    missing = [each for each in _MODULES if not list((copy / "src/ws4py").glob(f"{each}.*.so"))]
    if done.returncode or missing:
        raise SystemExit(f"sanitize: not built: {missing}\n{done.stderr[-3000:]}")


def environment() -> dict[str, str]:
    """Return the environment for a process that uses them."""
    variables = {
        **os.environ,
        "PYTHONPATH": f"{_FOLDER / 'copy' / 'src'}{os.pathsep}{ROOT}",
        "LD_PRELOAD": f"{_runtime('libasan.so')}:{_runtime('libubsan.so')}",
        # To files: what a process writes as it dies, pytest would swallow.
        "ASAN_OPTIONS": f"detect_leaks=0:allocator_may_return_null=1:log_path={_REPORTS}/asan",
        "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:log_path={_REPORTS}/ubsan",
        # Every object of Python's is an allocation of its own then, with its borders watched.
        "PYTHONMALLOC": "malloc",
        "WS4PY_REQUIRE_ALL": "1",
    }
    variables.pop("WS4PY_PURE_PYTHON", None)
    return variables


def _runtime(name: str) -> str:
    found = subprocess.run(
        [compiler(), f"-print-file-name={name}"], check=True, capture_output=True, text=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        raise SystemExit(f"sanitize: the compiler has no {name}")
    return found


if __name__ == "__main__":
    sys.exit(main())
