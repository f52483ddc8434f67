"""What is written down of a server: the last whole run, and rows that were run again since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Record:
    """A file with one JSON line for each row, and one about the run.

    :param path: the file.
    :param again: rows are run again, the others stay; otherwise the file begins anew.
    """

    def __init__(self, path: Path, *, again: bool) -> None:
        self.path = path
        self._again = again
        self._lines = read(path) if again and path.exists() else []

    def keep(self, result: Line) -> None:
        """Write a row's result down, in the place of an earlier one."""
        if self._again:
            result = {**result, "alone": True}
        places = [at for at, line in enumerate(self._lines) if line.get("row") == result["row"]]
        if places:
            self._lines[places[0]] = result
        else:
            self._lines.append(result)
        self._write()

    def close(self, run: Line) -> None:
        """Write down on what, and how long, the run was."""
        self._lines.insert(0, {"run": run})
        self._write()

    def _write(self) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines)
        self.path.write_text(text, encoding="utf-8")


def read(path: Path) -> list[Line]:
    """Return the lines of such a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
