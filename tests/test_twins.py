import runpy

import pytest

from ws4py import _twins


@pytest.mark.parametrize(
    ("value", "pure"), [(None, False), ("", False), ("0", False), ("1", True), ("yes", True)]
)
def test_who_wants_pure_python(monkeypatch, value, pure):
    monkeypatch.delenv("WS4PY_PURE_PYTHON", raising=False)
    if value is not None:
        monkeypatch.setenv("WS4PY_PURE_PYTHON", value)
    assert runpy.run_path(_twins.__file__)["PURE"] is pure
