"""The committed inputs hold, and a mistake in ws4py would be found."""

import pytest

from fuzz import by_hypothesis, make_corpus
from fuzz.inputs import named
from fuzz.targets import NAMES, headers, load
from ws4py._wire import codec_py
from ws4py.protocol import deflate, handshake
from ws4py.protocol.connection import Connection

targets = pytest.mark.parametrize("name", NAMES)


@targets
def test_the_corpus_holds(name):
    check = load(name).check
    for _, data in named(name):
        check(data)


@targets
def test_the_corpus_is_what_is_made_and_finds(name):
    files = {path.name: data for path, data in named(name)}
    made = make_corpus.made(name)
    assert {each: files[each] for each in made} == made
    assert all(each.startswith("find-") for each in files.keys() - made.keys())


@targets
def test_the_invariant_is_stated(name):
    assert len(load(name).check.__doc__) > 100


def found(name):
    """Whether an input of the corpus breaks an invariant."""
    check = load(name).check
    try:
        for _, data in named(name):
            check(data)
    except Exception:  # noqa: BLE001 - whatever it is, it would have been found
        return True
    return False


def untold_limit(reader, size):
    """No limit at all."""


def unanswered(_connection, _event):
    return b""


def quadratic(value):
    """Copies the rest for each element."""
    while "," in value:
        _, value = value[: value.find(",")], value[value.find(",") + 1 :]
    return []


@pytest.mark.parametrize(
    ("name", "where", "what", "mistake"),
    [
        ("frames", codec_py.MessageReader, "_check_limits", untold_limit),
        ("connection", Connection, "respond", unanswered),
        ("handshake", handshake, "accept_key", lambda key: key),
        ("headers", headers, "parse_tokens", quadratic),
        ("deflate", deflate, "_BITS", {str(bits): 15 for bits in range(16)}),
    ],
)
def test_a_mistake_is_found(monkeypatch, name, where, what, mistake):
    monkeypatch.setattr(where, what, mistake)
    assert found(name)


def test_work_is_counted_in_c_too():
    def searched(value):
        return [value.find("x", at) for at in range(len(value))]

    steps, visited = headers.work(searched, "a" * 100)
    assert steps < 50 * 100
    assert visited >= 100 * 100


def test_hypothesis_keeps_a_find(monkeypatch, tmp_path, capsys):
    class Target:
        WORDS = (b"needle",)

        @staticmethod
        def check(data):
            assert b"needle" not in data

    keeping = by_hypothesis.Keeping
    monkeypatch.setattr(by_hypothesis, "load", lambda _name: Target)
    monkeypatch.setattr(by_hypothesis, "Keeping", lambda name: keeping(name, tmp_path))
    with pytest.raises(AssertionError):
        by_hypothesis.explore("frames", 60, 0)
    (kept,) = (tmp_path / "frames").iterdir()
    assert b"needle" in kept.read_bytes()
    assert f"--input {kept} frames" in capsys.readouterr().out
