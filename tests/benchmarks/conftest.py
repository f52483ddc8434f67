"""The C programs, built once for the session and with every warning an error."""

import os
import shutil
import subprocess

import pytest

from benchmarks import build
from benchmarks.failure import BenchmarkError

STRICT = (*build.FLAGS, "-Wshadow", "-Wconversion", "-Werror")


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """The paths of `load` and `echo` by name."""
    folder = tmp_path_factory.mktemp("programs")
    try:
        build.compiler()
    except BenchmarkError as error:
        if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
            pytest.fail(f"WS4PY_REQUIRE_ALL=1, but {error}")
        pytest.skip(str(error))
    for name in build.PROGRAMS:
        done = subprocess.run(
            build.command(name, folder / name, STRICT), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert {each.name for each in folder.iterdir()} == {*build.PROGRAMS}
    yield {name: folder / name for name in build.PROGRAMS}
    shutil.rmtree(folder)
