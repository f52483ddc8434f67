"""The results as text: a line for the terminal, a table for the documentation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from chaos import noise, record
from chaos.later import LISTED
from chaos.runner import Result

_HEAD = """\
# What ws4py's servers hold out

Written by `make chaos`, see [chaos/README.md](../chaos/README.md). W stands for the witnesses: 20
well-behaved clients, whose echoes must not be late while somebody else attacks.
"""


def line(result: Result) -> str:
    """Return how a row ended, for a person at a terminal."""
    name = f"{result['server']:8} {result['row']:4}"
    if "cannot" in result:
        return f"{name} cannot run here: {result['cannot']}"
    verdict = "passed" if result["passed"] else "FAILED"
    tries = f" (attempt {result['attempts']})" if result["attempts"] > 1 else ""
    busy = result["figures"].get("others_cpu", 0.0)
    if busy > noise.BUSY:
        tries += f" (others used {busy:.0%} of a core)"
    took = f"{result.get('seconds', 0.0):5.1f} s"
    return f"{name} {verdict}{tries} {took}  {result['title']}: {result['seen']}"


def markdown(documents: Iterable[Path]) -> str:
    """Return the tables of some runs."""
    parts = [_HEAD]
    for document in documents:
        lines = record.read(document)
        run: dict[str, Any] = next((each["run"] for each in lines if "run" in each), {})
        run = run or {"server": document.stem}
        parts.append(_server(run, [each for each in lines if "row" in each]))
    rows = "\n".join(f"| {name} | {each.title} | {each.reason} |" for name, each in LISTED.items())
    parts.append(f"## Not run here\n\n| row | what | why |\n| --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _server(run: dict[str, Any], results: list[Result]) -> str:
    passed = sum(each["passed"] for each in results)
    about = f"{passed} of {len(results)} rows passed."
    if "minutes" in run:
        about += (
            f" {run['minutes']} minutes on {run['cores']} cores ({run['processor']}, CPython "
            f"{run['python']}, {run['kernel']}), whose load average was {run['load']:.1f} before."
        )
    if any(each.get("alone") for each in results):
        about += " Rows with a star were run again by themselves, later."
    rows = "\n".join(_row(each) for each in results)
    head = "| row | attack or fault | promised | seen | |\n| --- | --- | --- | --- | --- |"
    return f"## {run['server']}\n\n{about}\n\n{head}\n{rows}\n"


def _row(result: Result) -> str:
    if "cannot" in result:
        seen, verdict = f"cannot run here: {result['cannot']}", "not run"
    else:
        tries = result["attempts"]
        again = f" (attempt {tries}; before: {' / '.join(result['failed_before'])})"
        seen = result["seen"] + (again if tries > 1 else "")
        busy = result["figures"].get("others_cpu", 0.0)
        if busy > noise.BUSY and not result["passed"]:
            seen += f" (others used {busy:.0%} of a core)"
        verdict = "passed" if result["passed"] else "**failed**"
    name = result["row"] + ("*" if result.get("alone") else "")
    cells = [name, result["title"], result["expected"], seen, verdict]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
