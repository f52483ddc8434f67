"""Which build of the octets runs."""

from tests.support import twins
from ws4py._wire import octets, octets_py


def test_compiled_where_it_is(monkeypatch):
    made = twins.compiled("ws4py._wire.octets_c")
    names = twins.selected(monkeypatch, octets)
    assert all(names[each] is getattr(made, each) for each in octets.__all__)


def test_pure_where_it_is_missing(monkeypatch):
    names = twins.selected(monkeypatch, octets, missing="ws4py._wire.octets_c")
    assert all(names[each] is getattr(octets_py, each) for each in octets.__all__)


def test_pure_where_the_user_wants_it(monkeypatch):
    names = twins.selected(monkeypatch, octets, pure=True)
    assert names["apply_mask"] is octets_py.apply_mask
