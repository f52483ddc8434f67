"""The table in the docs is of these servers and these cases, and says that all is well."""

import pathlib
import re

from tests.servers import test_battery, test_goodbye, test_tls
from tests.servers.fleet import SERVED, name_of
from tests.servers.table import CASES, PYTHONS, Table

_PAGE = pathlib.Path(__file__).parents[2] / "docs" / "servers-table.md"


def rows(part) -> list[list[str]]:
    return [line.strip("| \n").split(" | ") for line in part.splitlines() if line.startswith("|")]


def parts() -> list[str]:
    return re.split(r"(?m)^## ", _PAGE.read_text(encoding="utf-8"))[1:]


def test_every_case_is_a_column():
    marked = {
        mark.args[0]
        for module in (test_battery, test_goodbye, test_tls)
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "case"
    }
    assert marked == set(CASES)


def test_the_page_has_every_python():
    assert [part.splitlines()[0] for part in parts()] == PYTHONS


def test_the_page_has_every_server_and_every_case_and_no_other():
    for part in parts():
        head, _, *body = rows(part)
        assert head == ["server", "version", *CASES]
        assert [row[0] for row in body] == [name_of(served) for served in SERVED]


def test_the_page_says_that_all_is_well():
    for part in parts():
        for row in rows(part)[2:]:
            assert set(row[2:]) <= {"ok", "-"}, row


def test_a_part_is_replaced_and_others_are_kept(tmp_path):
    file = tmp_path / "page.md"
    file.write_text("# Old head\n\n## CPython 2.7\n\n| kept |\n")
    table = Table(file)
    served = SERVED[0]
    table.note(served, CASES[0], "call", "passed")
    table.note(served, CASES[1], "call", "passed")
    table.note(served, CASES[1], "call", "failed")
    table.note(served, CASES[2], "setup", "failed")
    table.note(served, CASES[3], "call", "skipped")
    table.note(served, CASES[4], "call", "senseless")
    table.note(served, CASES[5], "setup", "passed")
    table.write()
    table.write()
    text = file.read_text()
    assert text.count("## CPython 2.7\n\n| kept |") == 1
    assert text.count(f"| {name_of(served)} |") == 1
    row = next(line for line in text.splitlines() if line.startswith(f"| {name_of(served)} |"))
    assert row.split(" | ")[2:8] == ["ok", "FAILED", "FAILED", "not run", "-", "not run"]
