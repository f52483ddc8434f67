from __future__ import annotations

import ast

import pytest

from tools import check_shape


def _function(*body: str) -> str:
    return "\n".join(["def sample(x):", *(f"    {line}" for line in body)]) + "\n"


@pytest.mark.parametrize(
    ("body", "depth"),
    [
        (["return x"], 0),
        (["if x:", "    return 1", "return 2"], 1),
        (["if x == 1:", "    return 1", "elif x == 2:", "    return 2", "elif x:", "    pass"], 1),
        (["if x:", "    pass", "else:", "    if x:", "        pass"], 2),
        (["for y in x:", "    try:", "        pass", "    finally:", "        pass"], 2),
        (["match x:", "    case 1:", "        while x:", "            pass"], 2),
        (["if x:", "    def inner():", "        if x:", "            pass"], 1),
    ],
)
def test_nesting_counts_blocks_in_blocks(body, depth):
    (function,) = ast.parse(_function(*body)).body
    assert check_shape.nesting(function) == depth


def test_a_module_within_the_limits_passes(tmp_path, capsys):
    lines = ["x"] * (check_shape.FUNCTION_LINES - 1)
    (tmp_path / "fine.py").write_text(_function(*lines))
    assert check_shape.main([str(tmp_path)]) == 0
    assert "1 modules, 0 problems" in capsys.readouterr().out


def test_a_function_one_line_too_long_fails(tmp_path, capsys):
    lines = ["x"] * check_shape.FUNCTION_LINES
    (tmp_path / "long.py").write_text(_function(*lines))
    assert check_shape.main([str(tmp_path)]) == 1
    assert "sample has 51 lines (at most 50)" in capsys.readouterr().out


def test_a_function_nested_too_deep_fails(tmp_path, capsys):
    nested = ["    " * level + "if x:" for level in range(check_shape.NESTING + 1)]
    nested.append("    " * len(nested) + "pass")
    (tmp_path / "deep.py").write_text(_function(*nested))
    assert check_shape.main([str(tmp_path)]) == 1
    assert "sample nests 5 deep (at most 4)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "status", "word"),
    [(400, 0, "0 problems"), (401, 0, "note: 401 lines"), (501, 1, "module of 501 lines")],
)
def test_long_modules_are_noted_and_then_refused(tmp_path, capsys, lines, status, word):
    (tmp_path / "module.py").write_text("x = 1\n" * lines)
    assert check_shape.main([str(tmp_path)]) == status
    assert word in capsys.readouterr().out


def test_environments_inside_a_folder_are_not_looked_at(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "module.py").write_text("x = 1\n" * 501)
    (tmp_path / "fine.py").write_text("x = 1\n")
    assert check_shape.main([str(tmp_path)]) == 0


def test_finding_nothing_to_check_is_a_failure(tmp_path):
    assert check_shape.main([str(tmp_path)]) == 1
