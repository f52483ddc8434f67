"""Demand that every core module is wholly covered by its own tests, and by them alone.

src/ws4py/protocol/state.py belongs to tests/protocol/test_state.py: running that one file has to
cover every line and branch of the module. A package's __init__.py belongs to test_init.py and needs
it only when it holds more than a docstring; leading underscores of a module's name are left out
(_tables.py, test_tables.py). Coverage by chance, from tests of other modules, does not count here.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

PACKAGE = Path("src/ws4py")
CORE = ("_wire", "protocol")


class Verdict(NamedTuple):
    """What is wrong with one module's tests; ``problem`` is empty when nothing is."""

    module: Path
    test: Path
    problem: str


def has_statements(module: Path) -> bool:
    """Tell whether the module holds anything besides its docstring."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body
    )


def test_file(module: Path) -> Path:
    """Return where the tests of ``module`` (relative to the root) have to stand."""
    inside = module.relative_to(PACKAGE)
    return Path("tests") / inside.parent / f"test_{inside.stem.strip('_')}.py"


def core_modules(root: Path) -> list[Path]:
    """Return the modules of the core, relative to ``root``."""
    return sorted(
        path.relative_to(root)
        for part in CORE
        for path in (root / PACKAGE / part).rglob("*.py")
        if path.name != "__init__.py" or has_statements(path)
    )


def judge(root: Path, module: Path) -> Verdict:
    """Run the module's own test file and read what it left uncovered."""
    test = test_file(module)
    if not (root / test).is_file():
        return Verdict(module, test, "no such test file")
    with TemporaryDirectory() as scratch:
        problem = _run_alone(root, module, test, Path(scratch))
    return Verdict(module, test, problem)


def _run_alone(root: Path, module: Path, test: Path, scratch: Path) -> str:
    report = scratch / "report.json"
    # Started below a measured run, it must not be measured a second time.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    environment = {**inherited, "COVERAGE_FILE": str(scratch / "data")}

    def coverage(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(test))
    tests = coverage("run", "--branch", "--parallel-mode", *pytest)
    if tests.returncode:
        return "its tests fail alone:\n" + tests.stdout
    combined = coverage("combine", "--quiet")
    # The overall limit of the configuration is not meant for one module.
    reported = coverage("json", "--fail-under=0", f"--include={module}", "-o", str(report))
    if combined.returncode or reported.returncode:
        return "nothing measured:\n" + combined.stdout + reported.stdout
    return uncovered(json.loads(report.read_text(encoding="utf-8")))


def uncovered(report: dict[str, Any]) -> str:
    """Return the lines and branches that coverage's JSON report calls missing."""
    parts: list[str] = []
    for file in report["files"].values():
        if file["missing_lines"]:
            parts.append("lines " + ", ".join(map(str, file["missing_lines"])))
        if file["missing_branches"]:
            # A negative target is how coverage writes "leaves the function".
            jumps = (f"{a}->{'exit' if b < 0 else b}" for a, b in file["missing_branches"])
            parts.append("branches " + ", ".join(jumps))
    return "; ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Print a table of the core modules; exit status 1 when one is not wholly covered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout")
    root: Path = parser.parse_args(arguments).root
    modules = core_modules(root)
    if not modules:
        print(f"mirror: no modules below {PACKAGE}", file=sys.stderr)
        return 1
    width = max(len(str(module)) for module in modules)
    failures = 0
    # The work is done by processes of their own.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for verdict in pool.map(functools.partial(judge, root), modules):
            failures += bool(verdict.problem)
            result = verdict.problem or "100 %"
            print(f"{verdict.module!s:{width}}  {verdict.test}  {result}", flush=True)
    print(f"mirror: {len(modules)} modules, {failures} not covered by their own tests")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
