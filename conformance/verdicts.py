"""What the suite said of each case, and the file in which that is committed.

Two mappings from case to verdict are compared here and nothing is judged: whether a verdict is good
enough to be expected at all is for policy.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from conformance.cases import natural
from conformance.failure import ConformanceError


class Verdict(NamedTuple):
    """The suite's two words on a case: how the messages went, and how the connection ended."""

    behavior: str
    behavior_close: str

    def __str__(self) -> str:
        return f"{self.behavior} / {self.behavior_close}"


OK = Verdict("OK", "OK")

Verdicts = Mapping[str, Verdict]


class Difference(NamedTuple):
    """A case whose verdict is not the expected one; None stands for no verdict at all."""

    case: str
    expected: Verdict | None
    found: Verdict | None

    @property
    def kind(self) -> str:
        """One word for the table."""
        if self.found is None:
            return "not executed"
        if self.expected is None:
            return "not expected"
        if self.found == OK:
            return "better"
        return "worse" if self.expected == OK else "changed"


def compare(expected: Verdicts, found: Verdicts, offered: Iterable[str]) -> list[Difference]:
    """Return every case that is not exactly as expected, in natural order.

    `offered` are the cases that the suite itself has for this run: one that it did not execute is a
    difference even when nobody expected it, so an incomplete run cannot pass for a complete one.
    """
    every = sorted({*expected, *found, *offered}, key=natural)
    pairs = (Difference(case, expected.get(case), found.get(case)) for case in every)
    return [pair for pair in pairs if pair.found is None or pair.expected != pair.found]


def parse(document: object, origin: str) -> dict[str, Verdict]:
    """Take the verdicts out of decoded JSON, which complaints call `origin`."""
    if not isinstance(document, dict):
        raise ConformanceError(f"{origin} is not a mapping from case to verdict")
    parsed = {}
    for case, entry in document.items():
        try:
            natural(case)
            words = (entry["behavior"], entry["behaviorClose"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConformanceError(f"{origin}: {case!r} is not a case with a verdict") from error
        parsed[case] = Verdict(*words)
    return parsed


def load_expected(path: Path) -> dict[str, Verdict]:
    """Read the committed verdicts."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConformanceError(f"no verdicts are expected yet in {path}, see --update") from error
    except ValueError as error:
        raise ConformanceError(f"{path} is not JSON: {error}") from error
    return parse(document, str(path))


def write_expected(path: Path, verdicts: Verdicts) -> None:
    """Write one case a line in natural order, so that a diff shows just what changed."""
    lines = [
        f"  {json.dumps(case)}: "
        + json.dumps({"behavior": verdict.behavior, "behaviorClose": verdict.behavior_close})
        for case, verdict in sorted(verdicts.items(), key=lambda item: natural(item[0]))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def load_report(reports: Path, agent: str) -> dict[str, Verdict]:
    """Read what the suite reported of the server it knows as `agent`.

    It writes its index when it ends, even when it could not connect once, so an index without that
    server is an answer too: nothing was executed.
    """
    index = reports / "index.json"
    try:
        document = json.loads(index.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise ConformanceError(f"the suite left no readable report at {index}: {error}") from error
    strangers = sorted(set(document) - {agent})
    if strangers:
        raise ConformanceError(f"the report speaks of other servers than {agent}: {strangers}")
    return parse(document.get(agent, {}), str(index))
