"""The command line: a run of the suite against each server, compared with the committed verdicts.

It ends with the plain line "N passed, N failed" and an exit status, so that whoever calls it has to
understand nothing else. It must never pass a run in which nothing was executed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from conformance import cases, environment, policy, python27, report, suite, testee, verdicts
from conformance.failure import CannotRunHereError, ConformanceError
from conformance.verdicts import Difference, Verdict

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "autobahn"
REPORTS = HERE / "reports"
EXPECTED = HERE / "expected"
EXCEPTIONS = HERE / "exceptions.json"

# Far above a whole run of either kind; it only has to end one that hangs.
DEADLINE_SECONDS = 3600.0


class Tally(NamedTuple):
    """How a run ended, in cases."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"

    @property
    def good(self) -> bool:
        """Nothing failed, and something was executed or openly skipped."""
        return not self.failed and bool(self.passed or self.skipped)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told and return the exit status."""
    options = _parse(arguments)
    tallies = [_tally(options, server) for server in options.server]
    # A server of which nothing was executed is not made good by another.
    good = all(tally.good for tally in tallies)
    print(Tally(*map(sum, zip(*tallies, strict=True))))
    return 0 if good else 1


def _tally(options: argparse.Namespace, server: str) -> Tally:
    one = argparse.Namespace(**{**vars(options), "server": server})
    try:
        tally = _update(one) if one.update else _check(one)
    except ConformanceError as error:
        print(f"conformance: {error}")
        tally = Tally(failed=1)
    print(f"conformance: {server}: {tally}", flush=True)
    return tally


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="conformance/run.py",
        description="Run Autobahn|Testsuite against a server and compare with expected verdicts.",
    )
    every = sorted(testee.SERVERS)
    parser.add_argument(
        "--server", choices=every, nargs="+", default=every, help="only these, not all of them"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="without sections 9, 12 and 13")
    which.add_argument("--cases", nargs="+", metavar="CASE", help="only these, as in 7.9.* or 2.10")
    which.add_argument("--update", action="store_true", help="rewrite the expected verdicts")
    parser.add_argument(
        "--deadline", type=float, default=DEADLINE_SECONDS, metavar="SECONDS", help="for the suite"
    )
    options = parser.parse_args(arguments)
    options.patterns = options.cases or (cases.QUICK if options.quick else cases.FULL)
    return options


def _check(options: argparse.Namespace) -> Tally:
    """Compare a run with the committed verdicts."""
    committed = _committed(options.server)
    meant = cases.select(committed, options.patterns)
    if not meant:
        raise ConformanceError(f"no expected case is meant by {' '.join(options.patterns)}")
    try:
        offered, found = _run(options)
    except CannotRunHereError as missing:
        if _everything_required(os.environ):
            raise
        print(f"conformance: cannot run here: {missing}")
        return Tally(skipped=len(meant))
    differences = verdicts.compare({case: committed[case] for case in meant}, found, offered)
    if differences:
        _show(options, "are not as expected", differences)
        print("a verdict that changed for good is committed with --update, see the README there")
    not_as_expected = {each.case for each in differences}
    return Tally(len(set(meant) - not_as_expected), len(not_as_expected))


def _everything_required(environ: Mapping[str, str]) -> bool:
    """Tell whether a part that this machine lacks is a failure and not a skip."""
    return environ.get("CI") == "true" or environ.get("WS4PY_REQUIRE_ALL") == "1"


def _committed(server: str) -> dict[str, Verdict]:
    """Return the expected verdicts, after the proof that they may be expected."""
    expected = verdicts.load_expected(_expected_file(server))
    rules = policy.load_exceptions(EXCEPTIONS)
    bad = policy.unacceptable(expected, rules)
    if bad:
        listed = "\n".join(f"  {case}: {expected[case]}" for case in bad)
        raise ConformanceError(f"verdicts that must not be expected are committed:\n{listed}")
    _refuse_unused(expected, rules)
    return expected


def _update(options: argparse.Namespace) -> Tally:
    """Commit what a whole run gives, provided that all of it may be expected."""
    rules = policy.load_exceptions(EXCEPTIONS)
    offered, found = _run(options)
    missing = sorted(set(offered) - set(found), key=cases.natural)
    bad = policy.unacceptable(found, rules)
    if missing or bad:
        rows = [Difference(case, verdicts.OK, found.get(case)) for case in [*missing, *bad]]
        _show(options, "cannot be expected", rows)
        print("NOT updated: the expected verdicts are as they were")
        return Tally(len(found) - len(bad), len(rows))
    _refuse_unused(found, rules)
    file = _expected_file(options.server)
    verdicts.write_expected(file, found)
    print(f"*** UPDATED {file}: this run is what is expected from now on; read the diff ***")
    return Tally(len(found))


def _refuse_unused(whole: verdicts.Verdicts, rules: list[policy.ExceptionRule]) -> None:
    unused = policy.unused(whole, rules)
    if unused:
        raise ConformanceError(
            f"no case needs these any more, take them out of {EXCEPTIONS.name}: {' '.join(unused)}"
        )


def _run(options: argparse.Namespace) -> tuple[list[str], dict[str, Verdict]]:
    """Return the cases that the suite has for this run, and its verdicts on those executed."""
    python = environment.prepare(CACHE, python27.find(os.environ))
    offered = cases.select(suite.offered_cases(python), options.patterns)
    if not offered:
        raise ConformanceError(f"the suite has no case meant by {' '.join(options.patterns)}")
    reports = _reports(options)
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    print(f"conformance: {len(offered)} cases against {options.server}", flush=True)
    began = time.monotonic()
    with testee.running(testee.SERVERS[options.server], reports) as url:
        agent = _agent(options.server)
        suite.execute(python, suite.Job(url, agent, offered, reports, options.deadline))
    found = verdicts.load_report(reports, agent)
    seconds = time.monotonic() - began
    print(f"conformance: {len(found)} cases executed in {seconds:.0f} s, see {reports}")
    return offered, found


def _show(options: argparse.Namespace, what: str, rows: Sequence[Difference]) -> None:
    """Print the table of the cases, and below it what the suite recorded of each."""
    print(f"\n{len(rows)} verdicts {what}:\n\n{report.table(rows)}\n")
    which = [row.case for row in rows if row.found is not None]
    for text in report.in_full(_reports(options), _agent(options.server), which):
        print(f"{text}\n")


def _agent(server: str) -> str:
    return f"ws4py-{server}"


def _reports(options: argparse.Namespace) -> Path:
    kind = "quick" if options.quick else "cases" if options.cases else "full"
    return REPORTS / f"{options.server}-{kind}"


def _expected_file(server: str) -> Path:
    return EXPECTED / f"{server}.json"
