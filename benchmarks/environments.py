"""Gives each peer an environment of its own, with the newest release that the installer finds.

Everything lands in one cache folder of the checkout. What is there is used as it is, whatever has
been released since, so that runs can be compared; asked for an update, it is made anew. A peer that
cannot be had is an UnavailableError with the installer's reason.
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import build, commands, fingerprints
from benchmarks.failure import UnavailableError
from benchmarks.registry import PROGRAMS, THIS, Peer

ROOT = Path(__file__).resolve().parent.parent


class Prepared(NamedTuple):
    """A peer that can be started."""

    peer: Peer
    command: tuple[str, ...]  # the mode follows it
    folder: Path  # to start it in
    versions: dict[str, str]  # of what matters
    installed: dict[str, str]  # of everything in its environment


def prepare(peer: Peer, cache: Path, *, update: bool = False) -> Prepared:
    """Return how to start a peer; its environment is made when there is none, or an old one."""
    if peer.kind == "c":
        echo = build.program("echo", cache)
        version = commands.output_of([build.compiler(), "-dumpfullversion"], ROOT)
        return Prepared(peer, (str(echo),), cache, {"compiler": version}, {})
    if peer.kind == "node":
        folder = _made(peer, cache, _node_modules, update=update)
        node = commands.output_of(["node", "--version"], folder)
        installed = _npm_list(folder)
        versions = {"Node": node, **{name: installed[name] for name in peer.packages}}
        command = ("node", str(PROGRAMS / peer.program))
        return Prepared(peer, command, folder, versions, installed)
    folder = _made(peer, cache, _virtual_environment, update=update)
    python = str(folder / "bin" / "python")
    # As a module and from the checkout's root: so the programs share benchmarks.peers.common, and
    # their folder, with names much like those of what they import, is not on Python's path.
    started = (python, "-m", f"benchmarks.peers.{Path(peer.program).stem}")
    installed = _pip_list(folder)
    return Prepared(peer, started, ROOT, _named(peer, folder, installed), installed)


def tool(name: str, packages: tuple[str, ...], cache: Path) -> str:
    """Return the interpreter of an environment for a tool of the harness itself."""
    helper = Peer(name, name, "", packages)
    return str(_made(helper, cache, _virtual_environment, update=False) / "bin" / "python")


def _made(
    peer: Peer, cache: Path, make: Callable[[Peer, Path, Path], None], *, update: bool
) -> Path:
    folder = cache / "venvs" / peer.folder
    stamp = folder / "stamp.json"
    wanted = _stamp(peer, folder)
    if not update and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return folder
    print(f"benchmarks: setting up {peer.folder}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(peer, folder, folder / "setup.log")
    stamp.write_text(wanted, encoding="utf-8")
    return folder


def _stamp(peer: Peer, folder: Path) -> str:
    """Sum up what the environment depends on; its place too, for it cannot be moved."""
    own = THIS in peer.packages
    return json.dumps(
        {
            "packages": peer.packages,
            "options": peer.pip_options,
            "python": sys.version,
            "folder": str(folder),
            "checkout": _checkout() if own else "",
        }
    )


@functools.cache
def _checkout() -> str:
    """Sum up the sources once for a run: an edit meanwhile must not come between two peers."""
    return fingerprints.of_files(fingerprints.source_files(ROOT))


def _virtual_environment(peer: Peer, folder: Path, log: Path) -> None:
    commands.step(log, [sys.executable, "-m", "venv", str(folder)], ROOT)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    with TemporaryDirectory() as scratch:
        packages = [each for each in peer.packages if each != THIS]
        if THIS in peer.packages:
            packages.append(_copy_of_this(Path(scratch) / "ws4py"))
        command = [*install, *peer.pip_options, *packages]
        commands.step(log, command, folder, peer.pip_variables)


def _copy_of_this(target: Path) -> str:
    """Copy what ws4py is built from: building would leave its remains in the checkout."""
    for path in fingerprints.source_files(ROOT):
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return str(target)


def _node_modules(peer: Peer, folder: Path, log: Path) -> None:
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            raise UnavailableError(f"there is no {needed} on this machine")
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    commands.step(log, [*install, *peer.packages], folder)


def _npm_list(folder: Path) -> dict[str, str]:
    found = {}
    for description in sorted((folder / "node_modules").glob("*/package.json")):
        package = json.loads(description.read_text(encoding="utf-8"))
        found[str(package["name"])] = str(package["version"])
    return found


def _pip_list(folder: Path) -> dict[str, str]:
    python = str(folder / "bin" / "python")
    listed = commands.output_of(
        [python, "-m", "pip", "--disable-pip-version-check", "list", "--format", "json"], folder
    )
    return {str(each["name"]): str(each["version"]) for each in json.loads(listed)}


def _named(peer: Peer, folder: Path, installed: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that matter: the interpreter's, and of what the peer is made of."""
    wanted = {each.partition("==")[0].lower() for each in peer.packages}
    versions = {"CPython": sys.version.split()[0]}
    versions |= {name: installed[name] for name in installed if name.lower() in wanted}
    if peer.ours:
        # What was measured, the compiled parts or the pure build, is told by the installation.
        pure = peer.variables.get("WS4PY_PURE_PYTHON") == "1"
        built = [] if pure else folder.glob("lib/*/*/ws4py/**/*.so")
        parts = sorted(path.name.split(".")[0] for path in built)
        versions |= {"ws4py": installed["ws4py"], "compiled parts:": " ".join(parts) or "none"}
    return versions
