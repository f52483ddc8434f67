"""What the battery found, as a page: one row a server, one column a case, one part a Python.

The page is written by a run of the battery and never by hand.
"""

import pathlib
import platform
import re

from tests.servers.fleet import SERVED, name_of

#: The cases, in the order of the columns, by the names that the tests are marked with.
CASES = [
    "raw 101",
    "frames in the handshake's segment",
    "frame split around the handshake",
    "1,000 echoes",
    "1 MiB",
    "50 frames in one write",
    "200 open and a GET",
    "1,000 connects",
    "bad handshakes",
    "SIGTERM with 50 open",
    "record ends in mid-frame",
    "record in pieces",
    "1,000 messages in one write",
    "no close_notify",
    "stalled handshake: open ones",
    "stalled handshake: new ones",
]

#: Where it has to be run for the page, each with `WS4PY_WRITE_TABLE=1`.
PYTHONS = ["CPython 3.10", "CPython 3.11", "CPython 3.12", "CPython 3.13"]

_HEAD = """\
# Every server, every case

Written by the test battery in [tests/servers](../tests/servers): `WS4PY_WRITE_TABLE=1` has a run of
it replace the part of its Python, and nothing else. "ok": the case passed. "-": the case does not
apply: it is about TLS, or about clients that are served side by side, which a server that takes one
after the other does not do.
"""

_WORDS = {"passed": "ok", "senseless": "-", "failed": "FAILED", None: "not run"}
_PART = re.compile(r"^## (CPython [\d.]+)$", re.MULTILINE)


class Table:
    """Collects outcomes and writes the page.

    :param file: where the page is.
    """

    def __init__(self, file: pathlib.Path) -> None:
        self._file = file
        self._found = {}

    def note(self, served, case, when, outcome) -> None:
        """Take down a test's outcome; of several tests of a case the worst counts.

        :param outcome: one of pytest's, or "senseless".
        """
        assert case in CASES, case
        if outcome == "skipped" or (when != "call" and outcome == "passed"):
            return
        key = name_of(served), case
        worst = ["failed", "passed", "senseless"]
        known = self._found.get(key, outcome)
        self._found[key] = min(known, outcome, key=worst.index)

    def write(self) -> None:
        """Replace the part of this Python."""
        parts = self._parts()
        name = f"CPython {'.'.join(platform.python_version_tuple()[:2])}"
        parts[name] = self._part()
        ordered = sorted(parts, key=lambda each: [int(n) for n in re.findall(r"\d+", each)])
        text = "".join(f"\n## {each}\n\n{parts[each]}\n" for each in ordered)
        self._file.write_text(_HEAD + text, encoding="utf-8")

    def _parts(self) -> dict:
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        _head, *pieces = _PART.split(text)
        return {name: body.strip() for name, body in zip(pieces[::2], pieces[1::2], strict=True)}

    def _part(self) -> str:
        rows = [["server", "version", *CASES], ["---"] * (len(CASES) + 2)]
        for served in SERVED:
            words = [_WORDS[self._found.get((name_of(served), each))] for each in CASES]
            rows.append([name_of(served), served[0].version(), *words])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
