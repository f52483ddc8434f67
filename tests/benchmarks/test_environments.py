from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import environments
from benchmarks.failure import UnavailableError
from benchmarks.registry import THIS, Peer

PEER = Peer("peer", "a peer", "tornado_server.py", ("tornado", "extra==1"))
OURS = Peer("ours", "ours", "ws4py_cherrypy.py", (THIS, "cherrypy"), "shared", ours=True)
NODE = Peer("node", "ws", "node_ws.mjs", ("ws",), kind="node")


class Commands:
    """Stands for the commands of the set-up: notes them, and answers."""

    def __init__(self) -> None:
        self.steps = []
        self.installed = {
            "tornado": "6",
            "extra": "1",
            "ws4py": "1.0",
            "CherryPy": "18",
            "pip": "9",
        }
        self.seen = lambda _command: None

    def step(self, log, command, folder, variables=None):
        self.steps.append((command, dict(variables or {})))
        self.seen(command)

    def output_of(self, command, folder):
        if command == ["node", "--version"]:
            return "v20"
        return json.dumps([{"name": name, "version": v} for name, v in self.installed.items()])


@pytest.fixture
def commands(monkeypatch):
    stand_in = Commands()
    monkeypatch.setattr(environments, "commands", stand_in)
    yield stand_in
    environments._checkout.cache_clear()


def test_a_peer_is_installed_into_a_place_of_its_own(commands, tmp_path):
    found = environments.prepare(PEER, tmp_path)
    (venv, _), (install, _) = commands.steps
    folder = tmp_path / "venvs" / "peer"
    assert venv[1:] == ["-m", "venv", str(folder)]
    assert install[0] == str(folder / "bin" / "python")
    assert install[-2:] == ["tornado", "extra==1"]
    assert found.command == (install[0], "-m", "benchmarks.peers.tornado_server")
    assert found.versions == {"CPython": sys.version.split()[0], "tornado": "6", "extra": "1"}
    assert found.installed == commands.installed


def test_what_is_there_is_used(commands, tmp_path):
    environments.prepare(PEER, tmp_path)
    environments.prepare(PEER, tmp_path)
    assert len(commands.steps) == 2
    environments.prepare(PEER, tmp_path, update=True)
    assert len(commands.steps) == 4


def test_other_packages_are_another_environment(commands, tmp_path):
    environments.prepare(PEER, tmp_path)
    environments.prepare(PEER._replace(packages=("tornado",)), tmp_path)
    assert len(commands.steps) == 4


def test_one_that_was_not_finished_is_made_again(commands, tmp_path):
    def fail(_command):
        raise UnavailableError("no wheel")

    commands.seen = fail
    with pytest.raises(UnavailableError, match="no wheel"):
        environments.prepare(PEER, tmp_path)
    commands.seen = lambda _command: None
    environments.prepare(PEER, tmp_path)
    assert len(commands.steps) == 3


def test_options_and_variables_reach_pip(commands, tmp_path):
    environments.prepare(
        PEER._replace(pip_options=("--no-binary", "x"), pip_variables={"BUILD": "no"}), tmp_path
    )
    install, variables = commands.steps[1]
    assert "--no-binary" in install
    assert variables == {"BUILD": "no"}


def test_ours_is_built_from_a_copy_of_this_checkout(commands, tmp_path):
    copies = []

    def look(command):
        if "install" in command:
            copies.append((command[-1], (Path(command[-1]) / "pyproject.toml").is_file()))

    commands.seen = look
    found = environments.prepare(OURS, tmp_path)
    ((copy, complete),) = copies
    assert complete
    assert not copy.startswith(str(environments.ROOT))
    assert not Path(copy).exists()
    assert found.folder == environments.ROOT
    assert found.versions["ws4py"] == "1.0"
    assert found.versions["compiled parts:"] == "none"


def test_an_edit_during_a_run_does_not_come_in_between(commands, tmp_path, monkeypatch):
    environments.prepare(OURS, tmp_path)
    steps = len(commands.steps)
    monkeypatch.setattr(environments.fingerprints, "of_files", lambda _files: "edited")
    environments.prepare(OURS, tmp_path)
    assert len(commands.steps) == steps
    environments._checkout.cache_clear()
    environments.prepare(OURS, tmp_path)
    assert len(commands.steps) > steps


def test_the_copy_has_what_a_build_needs(tmp_path):
    target = tmp_path / "copy"
    environments._copy_of_this(target)
    assert (target / "pyproject.toml").is_file()
    assert (target / "src" / "ws4py" / "__init__.py").is_file()
    assert not list(target.rglob("*.so"))


def test_compiled_parts_are_told(commands, tmp_path):
    wire = tmp_path / "venvs" / "shared" / "lib" / "python3" / "site-packages" / "ws4py" / "_wire"

    def install(_command):
        wire.mkdir(parents=True, exist_ok=True)
        (wire / "codec_c.cpython.so").write_text("")

    commands.seen = install
    assert environments.prepare(OURS, tmp_path).versions["compiled parts:"] == "codec_c"
    # In the same environment, but told to leave them aside.
    pure = OURS._replace(name="pure", variables={"WS4PY_PURE_PYTHON": "1"})
    assert environments.prepare(pure, tmp_path).versions["compiled parts:"] == "none"


def test_nodes_packages_stand_in_its_folder(commands, tmp_path, monkeypatch):
    monkeypatch.setattr(environments.shutil, "which", lambda name: name)
    package = tmp_path / "venvs" / "node" / "node_modules" / "ws"

    def install(_command):
        package.mkdir(parents=True)
        (package / "package.json").write_text('{"name": "ws", "version": "8"}')

    commands.seen = install
    found = environments.prepare(NODE, tmp_path)
    assert found.versions == {"Node": "v20", "ws": "8"}
    assert found.folder == tmp_path / "venvs" / "node"
    assert found.command[0] == "node"


def test_without_node_its_server_is_not_to_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(environments.shutil, "which", lambda _name: None)
    with pytest.raises(UnavailableError, match="no node"):
        environments.prepare(NODE, tmp_path)


def test_a_tool_has_an_interpreter(commands, tmp_path):
    python = environments.tool("charts", ("matplotlib",), tmp_path)
    assert python == str(tmp_path / "venvs" / "charts" / "bin" / "python")
    assert commands.steps[1][0][-1] == "matplotlib"
