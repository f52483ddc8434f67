"""Which verdicts may be expected at all.

OK for both of the suite's words, except where exceptions.json says otherwise and why. Without this
a failing case could be made to pass by committing its failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from conformance.cases import matches, natural
from conformance.failure import ConformanceError
from conformance.verdicts import OK, Verdict, Verdicts, parse

# What may ever be excepted: the suite's word for a case that it does not judge, and its word for a
# feature that was not negotiated. NON-STRICT, FAILED and the rest are defects, whatever the reason.
TOLERABLE = (Verdict("INFORMATIONAL", "INFORMATIONAL"), Verdict("UNIMPLEMENTED", "OK"))


class ExceptionRule(NamedTuple):
    """Cases meant by the pattern may have this verdict, for this reason."""

    pattern: str
    verdict: Verdict
    why: str

    def covers(self, case: str, verdict: Verdict) -> bool:
        """Whether this rule is why the verdict is acceptable."""
        return verdict == self.verdict and matches(case, [self.pattern])


def load_exceptions(path: Path) -> list[ExceptionRule]:
    """Read the written exceptions, each of which is of a tolerable kind and gives a reason."""
    document = json.loads(path.read_text(encoding="utf-8"))
    rules = [_rule(pattern, entry) for pattern, entry in document.items()]
    for rule in rules:
        if rule.verdict not in TOLERABLE:
            raise ConformanceError(f"{path}: {rule.verdict} cannot be excepted ({rule.pattern})")
        if not rule.why.strip():
            raise ConformanceError(f"{path}: {rule.pattern} gives no reason")
    return rules


def _rule(pattern: str, entry: Mapping[str, str]) -> ExceptionRule:
    # The same two words as for a case, but the key is a pattern, which is no case.
    verdict = parse({"0": entry}, f"exception {pattern}")["0"]
    return ExceptionRule(pattern, verdict, entry.get("why", ""))


def unacceptable(verdicts: Verdicts, rules: list[ExceptionRule]) -> list[str]:
    """Return the cases, in natural order, whose verdict neither is OK nor is excepted."""
    bad = (
        case
        for case, verdict in verdicts.items()
        if verdict != OK and not any(rule.covers(case, verdict) for rule in rules)
    )
    return sorted(bad, key=natural)


def unused(verdicts: Verdicts, rules: list[ExceptionRule]) -> list[str]:
    """Return the exceptions that no case needs any more, given the verdicts of a whole run."""
    return [
        rule.pattern
        for rule in rules
        if not any(rule.covers(case, verdict) for case, verdict in verdicts.items())
    ]
