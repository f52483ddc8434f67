"""What a person reads of a run: the table of differences, and what the suite saw of one case.

Text only. The suite's own pages, with everything, are in the folder of reports.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from conformance.verdicts import Difference, Verdict

# Octet-wise cases log hundreds of entries; what matters is how it began and how it ended.
FIRST_ENTRIES = 8
LAST_ENTRIES = 14
WIDTH = 110

# More cases than this in full would hide the table they belong to.
CASES_IN_FULL = 25

OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def table(differences: Sequence[Difference]) -> str:
    """Return one line for each of the cases, below a heading."""
    rows = [("case", "", "expected", "found")]
    rows += [
        (each.case, each.kind, _verdict(each.expected), _verdict(each.found))
        for each in differences
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _verdict(verdict: Verdict | None) -> str:
    return "-" if verdict is None else str(verdict)


def in_full(reports: Path, agent: str, executed: Sequence[str]) -> Iterator[str]:
    """Describe these cases, all of which the suite executed; from some number on, point to them."""
    index = json.loads((reports / "index.json").read_text(encoding="utf-8")).get(agent, {})
    for case in executed[:CASES_IN_FULL]:
        file = reports / index[case]["reportfile"]
        yield describe(json.loads(file.read_text(encoding="utf-8")))
    left = len(executed) - CASES_IN_FULL
    if left > 0:
        yield f"... and {left} more, in {reports / 'index.html'}"


def describe(record: dict[str, Any]) -> str:
    """Tell what one case does and expects, what came of it, and what went over the wire."""
    lines = [
        f"{record['id']}: {record['behavior']} / {record['behaviorClose']}",
        f"  does:    {_plain(record['description'])}",
        f"  expects: {_plain(record['expectation'])}",
        f"  result:  {record['result']}",
        f"  close:   {record['resultClose']} ({_ending(record)})",
        "  wire (> sent by the suite, < received from the server):",
    ]
    return "\n".join(lines + [f"    {line}" for line in _wire(record["wirelog"])])


def _plain(text: str) -> str:
    """Turn the suite's HTML into one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))


def _ending(record: dict[str, Any]) -> str:
    facts = [f"close code from the server: {record['remoteCloseCode']}"]
    if record["remoteCloseReason"]:
        facts.append(f"its reason: {record['remoteCloseReason']!r}")
    facts.append(f"TCP closed by the {'suite' if record['droppedByMe'] else 'server'}")
    late = {
        "wasServerConnectionDropTimeout": "the server did not close TCP in time",
        "wasOpenHandshakeTimeout": "the opening handshake took too long",
        "wasCloseHandshakeTimeout": "the close frame was not answered in time",
    }
    return "; ".join(facts + [words for key, words in late.items() if record[key]])


def _wire(log: list[list[Any]]) -> list[str]:
    left_out = len(log) - FIRST_ENTRIES - LAST_ENTRIES
    if left_out <= 0:
        return [_entry(entry) for entry in log]
    return [
        *(_entry(entry) for entry in log[:FIRST_ENTRIES]),
        f"... {left_out} entries ...",
        *(_entry(entry) for entry in log[-LAST_ENTRIES:]),
    ]


def _entry(entry: list[Any]) -> str:
    """Put one entry of the suite's wire log, whose first item is its kind, into words."""
    kind, *rest = entry
    if kind in ("RO", "TO"):
        length, octets = rest[0]
        return f"{'<' if kind == 'RO' else '>'} {length} octets {octets}"[:WIDTH]
    if kind in ("RF", "TF"):
        (length, payload), opcode, fin, rsv = rest[:4]
        name = OPCODES.get(opcode, f"opcode {opcode}")
        head = f"{'<' if kind == 'RF' else '>'} frame {name} fin={fin:d} rsv={rsv} length={length}"
        return f"{head} {payload!r}"[:WIDTH]
    words = {
        "CT": "waits {} s, tag {}",
        "CTE": "goes on, tag {}",
        "KL": "will fail the connection after {} s",
        "KLE": "fails the connection",
        "TI": "will close after {} s",
        "TIE": "closes, time is over",
        "WLM": "wire log on: {}",
    }
    return f"- the suite {words[kind].format(*rest)}" if kind in words else f"- {entry}"
