"""What messages derive from: the compiled class, and the same in Python."""

import gc
import os
import pickle
import subprocess
import sys

import ws4py
from tests.support import twins
from tests.support.wire import BINARY, TEXT
from ws4py import _twins, messaging
from ws4py.messaging import BinaryMessage, CloseControlMessage, Message, TextMessage, received

#: Loads pickled messages, and pickles them again.
_RELAY = """
import pickle, sys
from ws4py import _twins, messaging
messages = pickle.load(sys.stdin.buffer)
pickle.dump((_twins.PURE, [repr(each) for each in messages], messages), sys.stdout.buffer)
"""


def test_pickles_go_from_one_to_the_other():
    environment = {**os.environ, "WS4PY_PURE_PYTHON": str(int(not _twins.PURE))}
    environment["PYTHONPATH"] = str(next(iter(ws4py.__path__))) + "/.."
    messages = [
        TextMessage("żółw"),
        Message(TEXT, "x", "latin-1"),
        CloseControlMessage(1001, "bye"),
        received(TEXT, b"got"),
        received(BINARY, b"\xff"),
    ]
    messages[0].mark = True
    done = subprocess.run(
        [sys.executable, "-c", _RELAY],
        input=pickle.dumps(messages),
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    pure, shown, returned = pickle.loads(done.stdout)
    assert pure is not _twins.PURE
    assert shown == [repr(each) for each in messages]
    for sent, back in zip(messages, returned, strict=True):
        assert type(back) is type(sent)
        assert (back.data, vars(back)) == (sent.data, vars(sent))


def test_compiled_where_it_is(monkeypatch):
    made = twins.compiled("ws4py._messaging_c")
    assert twins.selected(monkeypatch, messaging)["Message"].__base__ is made.Base
    assert Message.__base__ is made.Base


def test_pure_where_it_is_missing(monkeypatch):
    monkeypatch.delattr(ws4py, "_messaging_c", raising=False)
    names = twins.selected(monkeypatch, messaging, missing="ws4py._messaging_c")
    assert names["Message"].__base__.__module__ == "ws4py.messaging"


def test_pure_where_the_user_wants_it(monkeypatch):
    names = twins.selected(monkeypatch, messaging, pure=True)
    assert names["Message"].__base__.__module__ == "ws4py.messaging"


def test_the_compiled_one_costs_nothing_before_it_is_used():
    """Attributes have a place of their own, which is empty."""
    twins.compiled("ws4py._messaging_c")
    for kind in (TextMessage, BinaryMessage):
        assert kind.__dictoffset__ > 0
        assert kind.__weakrefoffset__ > 0
        found = gc.get_referents(kind.__new__(kind))
        assert all(each is kind for each in found)
