"""Which build of the codec runs."""

from tests.support import twins
from ws4py._wire import codec, codec_py


def test_compiled_where_it_is(monkeypatch):
    made = twins.compiled("ws4py._wire.codec_c")
    names = twins.selected(monkeypatch, codec)
    assert all(names[each] is getattr(made, each) for each in codec.__all__ if each != "FAILED")


def test_pure_where_it_is_missing(monkeypatch):
    names = twins.selected(monkeypatch, codec, missing="ws4py._wire.codec_c")
    assert all(names[each] is getattr(codec_py, each) for each in codec.__all__)


def test_pure_where_the_user_wants_it(monkeypatch):
    names = twins.selected(monkeypatch, codec, pure=True)
    assert names["build_frame"] is codec_py.build_frame
