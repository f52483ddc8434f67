"""The storm, built once for the session and with every warning an error."""

import os
import subprocess

import pytest

from benchmarks import build as benchmarks_build
from benchmarks.failure import BenchmarkError
from chaos import build

STRICT = (*benchmarks_build.FLAGS, "-Wshadow", "-Wconversion", "-Werror")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    try:
        benchmarks_build.compiler()
    except BenchmarkError as error:
        if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
            pytest.fail(f"WS4PY_REQUIRE_ALL=1, but {error}")
        pytest.skip(str(error))
    target = tmp_path_factory.mktemp("storm") / "storm"
    done = subprocess.run(
        build.command(target, STRICT), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target
