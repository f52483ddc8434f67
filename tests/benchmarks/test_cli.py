from __future__ import annotations

import fcntl
import json

import pytest

from benchmarks import cli
from benchmarks.cores import Cores
from benchmarks.environments import Prepared
from benchmarks.failure import UnavailableError
from benchmarks.registry import PEERS
from tests.benchmarks.test_summary import figures


class Run:
    """A run in which nothing real is started."""

    def __init__(self) -> None:
        self.plan = None
        self.unavailable = {}
        self.failing = {}
        self.updated = []
        self.drawn = []

    def prepare(self, peer, cache, *, update):
        if peer.name in self.unavailable:
            raise UnavailableError(self.unavailable[peer.name])
        if update:
            self.updated.append(peer.name)
        return Prepared(peer, ("true",), cache, {"version": "1"}, {})

    def execute(self, bench, plan, say):
        self.plan = plan
        return {
            scenario.name: {each.peer.name: self.cell(each.peer.name) for each in plan.peers}
            for scenario in plan.scenarios
        }

    def cell(self, name):
        if name in self.failing:
            return {"rounds": [], "failed": self.failing[name]}
        return {"rounds": [figures(2.0 if name == "c" else 3.0)]}

    def output_of(self, command, folder):
        self.drawn.append(command)
        return ""


@pytest.fixture
def run(monkeypatch, tmp_path):
    stand_in = Run()
    monkeypatch.setattr(cli, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(cli.build, "program", lambda name, _cache: tmp_path / name)
    monkeypatch.setattr(cli.build, "compiler", lambda: "gcc")
    monkeypatch.setattr(cli.cores, "choose", lambda _server, _load: Cores(0, 0))
    monkeypatch.setattr(cli.environments, "prepare", stand_in.prepare)
    monkeypatch.setattr(cli.environments, "tool", lambda *_arguments: "python")
    monkeypatch.setattr(cli.commands, "output_of", stand_in.output_of)
    # The real one would stay with the whole test run.
    monkeypatch.setattr(cli.limits, "raise_descriptors", lambda: 1024)
    monkeypatch.setattr(cli.machine, "commit", lambda: {"commit": "abc", "changed_files": 0})
    monkeypatch.setattr(cli.syscalls, "available", lambda _cache: None)
    monkeypatch.setattr(cli.rounds, "execute", stand_in.execute)
    described = {"processor": "P", "cores": 2, "kernel": "K", "python": "3", "compiler": "C"}
    monkeypatch.setattr(cli.machine, "describe", lambda _compiler: described)

    def start(*words):
        return cli.main([*words, "--output", str(tmp_path / "results")])

    stand_in.start = start
    stand_in.results = tmp_path / "results"
    return stand_in


def test_a_run_leaves_table_and_document(run):
    assert run.start("--scenario", "one", "burst", "--peer", "picows") == 0
    assert [each.name for each in run.plan.scenarios] == ["one", "burst"]
    assert [each.peer.name for each in run.plan.peers] == ["c", "picows"]
    document = json.loads((run.results / "results.json").read_text())
    assert document["summary"]["one"]["picows"]["ratio"] == 1.5
    assert document["peers"]["picows"]["versions"] == {"version": "1"}
    assert document["run"]["commit"] == "abc"
    assert "| picows, uvloop | 3 (1.50) |" in (run.results / "results.md").read_text()
    ((_, script, *_),) = run.drawn
    assert script.endswith("charts.py")


def test_a_peer_that_cannot_be_had_is_told_and_is_no_failure(run):
    run.unavailable["picows"] = "no wheel"
    assert run.start("--scenario", "one", "--peer", "picows", "tornado") == 0
    assert [each.peer.name for each in run.plan.peers] == ["c", "tornado"]
    assert "- picows: no wheel" in (run.results / "results.md").read_text()


def test_a_peer_that_fails_is_told_and_is_no_failure(run):
    run.failing["picows"] = "it broke"
    assert run.start("--scenario", "one", "--peer", "picows") == 0
    assert "picows, uvloop failed: it broke" in (run.results / "results.md").read_text()


@pytest.mark.parametrize("name", ["c", "ws4py-cherrypy"])
def test_ours_or_the_reference_without_figures_is_a_failure(run, name, capsys):
    run.failing[name] = "it broke"
    assert run.start("--scenario", "one", "--peer", "ws4py-cherrypy") == 1
    assert f"no figures: one: {name}" in capsys.readouterr().err


def test_ours_that_cannot_be_installed_is_a_failure(run, capsys):
    run.unavailable["ws4py-gevent"] = "no compiler"
    assert run.start("--scenario", "one", "--peer", "ours") == 1
    assert "no figures: ws4py-gevent" in capsys.readouterr().err


def test_without_strace_the_run_goes_on_and_says_so(run, monkeypatch):
    def missing(_cache):
        raise UnavailableError("only root can install it")

    monkeypatch.setattr(cli.syscalls, "available", missing)
    assert run.start("--scenario", "one", "--peer", "picows") == 0
    assert not run.plan.calls
    assert "system calls: only root" in (run.results / "results.md").read_text()


def test_without_matplotlib_there_are_figures_and_a_word(run, monkeypatch):
    def missing(*_arguments):
        raise UnavailableError("no index")

    monkeypatch.setattr(cli.environments, "tool", missing)
    assert run.start("--scenario", "one", "--peer", "picows") == 0
    assert "- the charts: no index" in (run.results / "results.md").read_text()
    assert json.loads((run.results / "results.json").read_text())["unavailable"]


def test_an_environment_is_updated_once(run):
    run.start("--scenario", "one", "--peer", "websockets-*", "--update")
    shared = [name for name in run.updated if PEERS[name].folder == "websockets"]
    assert len(shared) == 1
    assert "websockets-pure" in run.updated


def test_charts_and_calls_can_be_left_out(run):
    assert run.start("--scenario", "one", "--peer", "c", "--no-charts", "--no-calls") == 0
    assert not run.drawn
    assert not run.plan.calls


def test_a_name_that_is_none_is_an_error(run, capsys):
    assert run.start("--scenario", "nothing") == 2
    assert "there is no 'nothing'" in capsys.readouterr().err


def test_two_runs_at_once_are_refused(run, capsys, tmp_path):
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run.start("--scenario", "one") == 2
    assert "another run" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--seconds", "0"], ["--warmup", "-1"]])
def test_no_rounds_and_no_time_are_refused(words):
    with pytest.raises(SystemExit, match="2"):
        cli.main(words)


def test_the_list_has_everything(capsys):
    assert cli.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "burst" in listed
    assert all(name in listed for name in PEERS)
