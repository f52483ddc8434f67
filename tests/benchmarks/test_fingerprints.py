from __future__ import annotations

import pytest

from benchmarks import fingerprints


@pytest.fixture
def checkout(tmp_path):
    package = tmp_path / "src" / "ws4py"
    package.mkdir(parents=True)
    for name in ("__init__.py", "codec.py", "codec.pxd", "codec.so", "codec.pyc"):
        (package / name).write_text(name)
    (tmp_path / "src" / "ws4py.egg-info").mkdir()
    (tmp_path / "src" / "ws4py.egg-info" / "PKG-INFO").write_text("made")
    (tmp_path / "pyproject.toml").write_text("[project]")
    (tmp_path / "Makefile").write_text("all:")
    return tmp_path


def test_sources_are_what_is_not_made_from_them(checkout):
    names = [path.name for path in fingerprints.source_files(checkout)]
    assert sorted(names) == ["__init__.py", "codec.pxd", "codec.py", "pyproject.toml"]


def word(checkout):
    return fingerprints.of_files(fingerprints.source_files(checkout))


def test_a_change_of_content_name_or_number_is_seen(checkout):
    before = word(checkout)
    assert word(checkout) == before
    codec = checkout / "src" / "ws4py" / "codec.py"
    codec.write_text("other")
    changed = word(checkout)
    codec.rename(codec.with_name("other.py"))
    renamed = word(checkout)
    codec.with_name("other.py").unlink()
    assert len({before, changed, renamed, word(checkout)}) == 4


def test_what_was_built_is_no_change(checkout):
    before = word(checkout)
    (checkout / "src" / "ws4py" / "codec.so").write_text("newer")
    assert word(checkout) == before
