"""Hold functions and modules to a size that can be read in one go.

Per function at most 50 lines and 4 levels of nesting, per module 400 lines as a rule and never more
than 500. It counts, and judges nothing else: style is ruff's part.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FUNCTION_LINES = 50
NESTING = 4
MODULE_LINES = 400
MODULE_CEILING = 500

FOLDERS = ("src", "tests", "tools", "examples", "benchmarks", "conformance", "fuzz", "chaos")

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OWN_COUNT = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_BLOCKS: tuple[type[ast.AST], ...] = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.Match,
)
if sys.version_info >= (3, 11):
    _BLOCKS += (ast.TryStar,)


def nesting(node: ast.AST, level: int = 0) -> int:
    """Return how deep blocks stand in each other below ``node``.

    Functions and classes inside are counted for themselves.
    """
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _OWN_COUNT):
            continue
        opens = isinstance(child, _BLOCKS) and not _is_elif(node, child)
        deepest = max(deepest, nesting(child, level + opens))
    return deepest


def _is_elif(parent: ast.AST, child: ast.AST) -> bool:
    # `elif` is an `if` in the `else` part that stands in its parent's own column.
    return (
        isinstance(parent, ast.If)
        and isinstance(child, ast.If)
        and child in parent.orelse
        and child.col_offset == parent.col_offset
    )


def problems(path: Path) -> Iterator[str]:
    """Yield one line of text for each limit that the module breaks."""
    source = path.read_text(encoding="utf-8")
    length = len(source.splitlines())
    if length > MODULE_CEILING:
        yield f"{path}:1: module of {length} lines (at most {MODULE_CEILING})"
    for node in ast.walk(ast.parse(source, str(path))):
        if not isinstance(node, _FUNCTIONS):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{path}:{node.lineno}: {node.name} has {lines} lines (at most {FUNCTION_LINES})"
        depth = nesting(node)
        if depth > NESTING:
            yield f"{path}:{node.lineno}: {node.name} nests {depth} deep (at most {NESTING})"


def modules(folders: list[Path]) -> list[Path]:
    """Return the Python files below ``folders`` that belong to the project."""
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*.py")
        # Environments and caches (.venv, .cache) are not the project's own code.
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def main(arguments: list[str] | None = None) -> int:
    """Print every problem; exit status 1 when there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="default: all of the project's")
    chosen = parser.parse_args(arguments).folders or [Path(name) for name in FOLDERS]
    paths = modules(chosen)
    if not paths:
        print("shape: no Python files found", file=sys.stderr)
        return 1
    found = [line for path in paths for line in problems(path)]
    for path in paths:
        length = len(path.read_text(encoding="utf-8").splitlines())
        if MODULE_LINES < length <= MODULE_CEILING:
            print(f"{path}:1: note: {length} lines; the rule is {MODULE_LINES}")
    print(*found, sep="\n", end="\n" if found else "")
    print(f"shape: {len(paths)} modules, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
