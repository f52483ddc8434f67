from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_mirror

MODULE = '''\
"""A sign."""


def sign(number):
    word = "positive"
    if number < 0:
        word = "negative"
    return word
'''

WHOLE = """\
from ws4py._wire.sign import sign


def test_both():
    assert (sign(1), sign(-1)) == ("positive", "negative")
"""


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one core module, one empty package file and one that is not core."""
    for name, text in {
        "pyproject.toml": (
            '[tool.pytest.ini_options]\npythonpath = ["src"]\n'
            "[tool.coverage.report]\nfail_under = 100\n"
        ),
        "src/ws4py/__init__.py": "",
        "src/ws4py/other.py": "x = 1\n",
        "src/ws4py/_wire/__init__.py": '"""Nothing here."""\n',
        "src/ws4py/_wire/sign.py": MODULE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def _write_test(checkout, text):
    path = checkout / "tests" / "_wire" / "test_sign.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def _check(checkout, capsys):
    status = check_mirror.main(["--root", str(checkout)])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "test"),
    [
        ("protocol/handshake.py", "tests/protocol/test_handshake.py"),
        ("_wire/_tables.py", "tests/_wire/test_tables.py"),
        ("protocol/__init__.py", "tests/protocol/test_init.py"),
        ("protocol/deep/state.py", "tests/protocol/deep/test_state.py"),
    ],
)
def test_the_place_of_a_modules_tests(module, test):
    assert check_mirror.test_file(check_mirror.PACKAGE / module) == Path(test)


def test_a_module_covered_by_its_own_tests_passes(checkout, capsys):
    _write_test(checkout, WHOLE)
    status, out = _check(checkout, capsys)
    assert (status, "100 %" in out) == (0, True)
    assert "mirror: 1 modules, 0 not covered" in out


def test_a_missing_line_is_named(checkout, capsys):
    _write_test(checkout, WHOLE.replace("sign(-1)", "sign(2)").replace("negative", "positive"))
    status, out = _check(checkout, capsys)
    assert status == 1
    assert "lines 7; branches 6->7" in out


def test_a_missing_branch_alone_is_named(checkout, capsys):
    _write_test(checkout, WHOLE.replace("sign(1)", "sign(-2)").replace("positive", "negative"))
    status, out = _check(checkout, capsys)
    assert status == 1
    assert "branches 6->8" in out


def test_a_module_without_its_own_tests_fails(checkout, capsys):
    status, out = _check(checkout, capsys)
    assert status == 1
    assert "no such test file" in out


def test_tests_that_fail_alone_fail(checkout, capsys):
    _write_test(checkout, WHOLE.replace("sign(1)", "sign(0) + sign(1)"))
    status, out = _check(checkout, capsys)
    assert status == 1
    assert "its tests fail alone" in out


def test_tests_that_never_import_the_module_fail(checkout, capsys):
    _write_test(checkout, "def test_nothing():\n    assert str(1) == '1'\n")
    status, out = _check(checkout, capsys)
    assert status == 1
    assert "nothing measured" in out


def test_a_package_file_with_statements_needs_tests(checkout):
    (checkout / "src/ws4py/_wire/__init__.py").write_text('"""Doc."""\n\nx = 1\n')
    assert check_mirror.core_modules(checkout) == [
        Path("src/ws4py/_wire/__init__.py"),
        Path("src/ws4py/_wire/sign.py"),
    ]


def test_finding_no_core_is_a_failure(tmp_path):
    assert check_mirror.main(["--root", str(tmp_path)]) == 1
