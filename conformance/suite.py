"""Runs Autobahn|Testsuite as the fuzzing client: asks which cases it has, and has them executed.

What it reports is left in a folder; reading that is for verdicts.py and report.py. It must not make
a case easier: the suite's own time limits are in force.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from conformance.environment import own_modules_only
from conformance.failure import ConformanceError, end_of

ASK_FOR_CASES = """
import json
from autobahntestsuite import case
from autobahntestsuite.caseset import CaseSet
names = CaseSet(case.CaseSetname, case.CaseBasename, case.Cases, {}, {})
print(json.dumps([names.caseClasstoId(each) for each in case.Cases]))
"""


class Job(NamedTuple):
    """One run of the suite against one server."""

    url: str
    agent: str
    cases: list[str]
    reports: Path
    seconds: float

    @property
    def log(self) -> Path:
        """Where the suite's own output goes, which names the case that it is at."""
        return self.reports / "wstest.log"

    def specification(self) -> str:
        """Return the text of the file that tells the suite what to do."""
        return json.dumps(
            {
                "outdir": str(self.reports),
                "servers": [{"agent": self.agent, "url": self.url}],
                "cases": self.cases,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            }
        )


def offered_cases(python: Path) -> list[str]:
    """Ask the installed suite for all the cases that it has."""
    answer = subprocess.run(
        [str(python), "-c", ASK_FOR_CASES],
        capture_output=True,
        text=True,
        check=False,
        env=own_modules_only(),
        timeout=120,
    )
    if answer.returncode != 0:
        raise ConformanceError(f"the suite does not start:\n{answer.stderr.strip()}")
    return [str(case) for case in json.loads(answer.stdout)]


def execute(python: Path, job: Job) -> None:
    """Run the suite to its end; an error when that does not come in time."""
    with tempfile.TemporaryDirectory(prefix="ws4py-conformance-") as folder:
        specification = Path(folder) / "fuzzingclient.json"
        specification.write_text(job.specification(), encoding="utf-8")
        command = [str(python), "-u", "-m", "autobahntestsuite.wstest"]
        with job.log.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--mode", "fuzzingclient", "--spec", str(specification)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=own_modules_only(),
            )
            status = _wait(process, job)
    if status != 0:
        raise ConformanceError(f"the suite ended with status {status}:\n{end_of(job.log, 5)}")


def _wait(process: subprocess.Popen[bytes], job: Job) -> int:
    try:
        return process.wait(job.seconds)
    except subprocess.TimeoutExpired as error:
        raise ConformanceError(
            f"the suite was not done after {job.seconds:g} s; it was here:\n{end_of(job.log, 5)}"
        ) from error
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
