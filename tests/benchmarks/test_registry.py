from __future__ import annotations

import pytest

from benchmarks import registry
from benchmarks.build import SOURCES
from benchmarks.registry import PEERS, PROGRAMS


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS.keys())
def test_a_peer_has_a_program(peer):
    assert ((SOURCES if peer.kind == "c" else PROGRAMS) / peer.program).is_file()
    assert peer.kind in {"python", "node", "c"}


def test_every_program_has_a_peer():
    programs = {each.name for each in PROGRAMS.iterdir() if each.suffix in {".py", ".mjs"}}
    named = {each.program for each in PEERS.values() if each.kind != "c"}
    assert named == programs - {"__init__.py", "common.py"}


def test_who_shares_an_environment_agrees_on_it():
    made = {}
    for each in PEERS.values():
        what = (each.kind, each.packages, each.pip_options, dict(each.pip_variables))
        assert made.setdefault(each.folder, what) == what


def test_ours_are_those_made_of_this_checkout():
    assert all(each.ours == (registry.THIS in each.packages) for each in PEERS.values())
    assert registry.REFERENCE in PEERS


def test_only_what_is_no_longer_released_is_pinned():
    pinned = [package for each in PEERS.values() for package in each.packages if "==" in package]
    assert pinned == ["ws4py==0.6.0"]
