"""Compare the tree in ARCHITECTURE.md with the real one.

The convention: ARCHITECTURE.md has one fenced block whose first line starts with ``src/ws4py/``.
Each further row is one file or folder (folders end with ``/``) below it, placed by box-drawing
characters or plain indentation, and optionally followed by two spaces and a comment::

    src/ws4py/
    ├── exc.py          every exception
    │   ── bytes and frames ──
    ├── _wire/
    │   └── codec.py    parser and builder
    └── py.typed

Rows that name nothing, such as the heading above or an empty row, are skipped. Every path in the
block has to exist, and every module below src/ws4py has to be in the block; a package's
``__init__.py`` is covered by naming the package.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = "src/ws4py/"

_FENCE = re.compile(r"^(```|~~~).*$")
_BRANCHES = "│├└─| \t\xa0"


def tree_block(text: str) -> list[str]:
    """Return the rows of the fenced block that starts with the package's path, or nothing."""
    block: list[str] | None = None
    for line in text.splitlines():
        if not _FENCE.match(line.strip()):
            if block is not None:
                block.append(line)
        elif block is None:
            block = []
        else:
            if block and block[0].startswith(TOP):
                return block
            block = None
    return []


def rows(block: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the column and the name of each row that stands for a file or folder."""
    for line in block[1:]:
        entry = line.lstrip(_BRANCHES)
        name = entry.split("  ")[0].strip()
        # A group heading ends with a rule; the one it starts with was stripped as a branch.
        if name and not entry.rstrip().endswith("──"):
            yield len(line) - len(entry), name


def named_paths(block: list[str]) -> list[str]:
    """Return the paths that the block names, relative to the package."""
    paths: list[str] = []
    folders: list[tuple[int, str]] = []
    for column, name in rows(block):
        while folders and folders[-1][0] >= column:
            folders.pop()
        above = "".join(folder for _, folder in folders)
        paths.append(above + name)
        if name.endswith("/"):
            folders.append((column, name))
    return paths


def real_modules(package: Path) -> set[str]:
    """Return what has to be named: every module and every package folder."""
    return {
        f"{path.parent.relative_to(package).as_posix()}/"
        if path.name == "__init__.py" and path.parent != package
        else path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
    }


def problems(root: Path) -> list[str]:
    """Return one line of text for each difference between the block and the tree."""
    package = root / TOP
    page = root / "ARCHITECTURE.md"
    if not page.is_file():
        return ["ARCHITECTURE.md does not exist"]
    block = tree_block(page.read_text(encoding="utf-8"))
    if not block:
        return [f"ARCHITECTURE.md has no fenced block that starts with {TOP}"]
    named = named_paths(block)
    found = [f"{TOP}{path} does not exist" for path in named if not _is_there(package, path)]
    found += [f"{TOP}{path} is named twice" for path in sorted(set(named)) if named.count(path) > 1]
    found += [f"{TOP}{path} is not named" for path in sorted(real_modules(package) - set(named))]
    return found


def _is_there(package: Path, path: str) -> bool:
    real = package / path
    return real.is_dir() if path.endswith("/") else real.is_file()


def main(arguments: list[str] | None = None) -> int:
    """Print every difference; exit status 1 when there is one."""
    parser = argparse.ArgumentParser(description="Compare ARCHITECTURE.md with the real tree.")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout")
    found = problems(parser.parse_args(arguments).root)
    print(*found, sep="\n", end="\n" if found else "")
    print(f"architecture: {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
