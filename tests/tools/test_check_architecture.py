from __future__ import annotations

import pytest

from tools import check_architecture

BOXES = """\
# Architecture

```
some other block
```

```
src/ws4py/
├── __init__.py            names only
│   ── bytes and frames ──
├── _wire/                 what travels
│   ├── codec.py           parser and builder
│   └── deep/
│       └── tables.py
│
│   ── the rest ──
└── exc.py
```
"""

PLAIN = """\
~~~text
src/ws4py/
  __init__.py   names only
  _wire/
    codec.py
    deep/
      tables.py
  exc.py
~~~
"""


@pytest.fixture
def checkout(tmp_path):
    package = tmp_path / "src" / "ws4py"
    (package / "_wire" / "deep").mkdir(parents=True)
    for name in (
        "__init__.py",
        "exc.py",
        "_wire/__init__.py",
        "_wire/codec.py",
        "_wire/deep/__init__.py",
        "_wire/deep/tables.py",
    ):
        (package / name).touch()
    return tmp_path


def _check(checkout, page):
    (checkout / "ARCHITECTURE.md").write_text(page, encoding="utf-8")
    return check_architecture.problems(checkout)


@pytest.mark.parametrize("page", [BOXES, PLAIN.replace("text", "")], ids=["boxes", "indentation"])
def test_a_true_tree_has_no_differences(checkout, page):
    assert _check(checkout, page) == []


def test_the_fence_may_name_a_language(checkout):
    assert _check(checkout, PLAIN) == []


def test_a_module_that_is_not_named_is_a_difference(checkout):
    (checkout / "src/ws4py/_wire/new.py").touch()
    assert _check(checkout, BOXES) == ["src/ws4py/_wire/new.py is not named"]


def test_a_package_that_is_not_named_is_a_difference(checkout):
    (checkout / "src/ws4py/server").mkdir()
    (checkout / "src/ws4py/server/__init__.py").touch()
    assert _check(checkout, BOXES) == ["src/ws4py/server/ is not named"]


def test_a_named_file_that_is_gone_is_a_difference(checkout):
    (checkout / "src/ws4py/exc.py").unlink()
    assert _check(checkout, BOXES) == ["src/ws4py/exc.py does not exist"]


def test_a_module_under_the_wrong_folder_is_two_differences(checkout):
    page = PLAIN.replace("      tables.py", "    tables.py")
    assert _check(checkout, page) == [
        "src/ws4py/_wire/tables.py does not exist",
        "src/ws4py/_wire/deep/tables.py is not named",
    ]


def test_a_path_named_twice_is_a_difference(checkout):
    assert _check(checkout, PLAIN.replace("  exc.py\n", "  exc.py\n  exc.py\n")) == [
        "src/ws4py/exc.py is named twice"
    ]


def test_a_page_without_the_block_fails(checkout, capsys):
    (checkout / "ARCHITECTURE.md").write_text("# Architecture\n")
    assert check_architecture.main(["--root", str(checkout)]) == 1
    assert "no fenced block" in capsys.readouterr().out


def test_a_missing_page_fails(checkout):
    assert check_architecture.problems(checkout) == ["ARCHITECTURE.md does not exist"]


def test_the_exit_status_of_a_true_tree_is_zero(checkout, capsys):
    (checkout / "ARCHITECTURE.md").write_text(BOXES, encoding="utf-8")
    assert check_architecture.main(["--root", str(checkout)]) == 0
    assert capsys.readouterr().out == "architecture: 0 differences\n"
