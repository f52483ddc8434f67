"""One process for all cases of a server, and the table of what came out."""

import os
import pathlib

import pytest

from tests.servers.fleet import SERVED, name_of
from tests.servers.process import ServedProcess
from tests.servers.table import Table

_TABLE = pathlib.Path(__file__).parents[2] / "docs" / "servers-table.md"
_results = pytest.StashKey[Table]()


@pytest.fixture(scope="session", params=SERVED, ids=name_of)
def served(request, tmp_path_factory):
    """A running server: all cases with one, then all with the next."""
    with ServedProcess(*request.param, tmp_path_factory.mktemp("server")) as process:
        yield process
    # Whatever peers do, it is no error of ours. Some servers have tracebacks of their own
    # for clients that vanish.
    assert not process.own_tracebacks()


@pytest.fixture
def tls(served):
    """For cases that are about TLS; with a server without it they are not run at all."""
    return served


@pytest.fixture
def side_by_side(tls):
    """For cases about a server that begins with TLS for several clients at once."""
    return tls


def pytest_configure(config):
    if os.environ.get("WS4PY_WRITE_TABLE") == "1" and getattr(config.option, "numprocesses", None):
        raise pytest.UsageError("the table is written by one process: leave out --numprocesses")
    config.stash[_results] = Table(_TABLE)


def pytest_collection_modifyitems(config, items):
    senseless = [item for item in items if not _makes_sense(item)]
    for item in senseless:
        _note(item, "call", "senseless")
    config.hook.pytest_deselected(items=senseless)
    items[:] = [item for item in items if _makes_sense(item)]


def _served_by(item):
    """The server that an item is for; ``None`` for an item of other tests."""
    return getattr(item, "callspec", None) and item.callspec.params.get("served")


def _makes_sense(item) -> bool:
    served = _served_by(item)
    if served is None or "tls" not in item.fixturenames:
        return True
    kind, with_tls = served
    alone = kind.serial or kind.serial_tls
    return with_tls and not (alone and "side_by_side" in item.fixturenames)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    _note(item, report.when, report.outcome)
    return report


def _note(item, when, outcome) -> None:
    marker, served = item.get_closest_marker("case"), _served_by(item)
    if marker is not None and served is not None:
        item.config.stash[_results].note(served, marker.args[0], when, outcome)


def pytest_sessionfinish(session):
    if os.environ.get("WS4PY_WRITE_TABLE") == "1":
        session.config.stash[_results].write()
