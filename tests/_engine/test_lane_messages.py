"""Messages that nobody has kept are used again by the fast lane; no program can tell."""

import gc
import json
import sys
import tracemalloc
import weakref

import pytest

from tests.support import twins
from tests.support.lanes import ENGINES, engine, in_lane
from tests.support.raw import BINARY, TEXT, frame
from tests.support.waiting import wait_until
from ws4py.messaging import BinaryMessage, TextMessage
from ws4py.websocket import WebSocket


class Handler(WebSocket):
    """Runs a function of the test's for each message, and answers with what it returns."""

    handle = None

    def received_message(self, message):
        self.send(f"{self.handle(message)}")


@pytest.fixture(name="ask", params=ENGINES)
def fixture_ask(request):
    """Have a function handle messages, one after the other; returns its results."""
    with engine(request.param) as served:
        websocket, peer = served.connect(Handler)
        in_lane(served, websocket)

        def ask(handle, *payloads, opcode=TEXT):
            websocket.handle = handle
            answers = []
            for payload in payloads:
                peer.send(frame(opcode, payload))
                answers.append(peer.read_frame().payload.decode())
            return answers

        yield ask


def test_kept_messages_stay_as_they_are(ask):
    kept = []
    ask(kept.append, b"one", b"two")
    ask(kept.append, b"three", opcode=BINARY)
    ask(kept.append, b"four")
    assert [each.data for each in kept] == [b"one", b"two", b"three", b"four"]
    assert [type(each) for each in kept] == [TextMessage, TextMessage, BinaryMessage, TextMessage]
    assert len({id(each) for each in kept}) == 4


def test_attributes_stay_with_their_message(ask):
    def mark(message):
        before = hasattr(message, "mark"), message.completed, message.encoding
        message.mark = True
        message.completed = False
        message.encoding = "latin-1"
        return *before, message.mark

    assert ask(mark, b"one", b"two", b"three") == ["(False, True, 'utf-8', True)"] * 3


def test_attributes_may_be_kept_without_the_message(ask):
    kept = []

    def keep(message):
        kept.append(vars(message))
        message.number = len(kept)

    ask(keep, b"one", b"two", b"three")
    assert [each["number"] for each in kept] == [1, 2, 3]


def test_other_data_stays_with_its_message(ask):
    def change(message):
        before = message.data
        message.data = b"changed"
        return before

    def delete(message):
        before = message.data
        del message.data
        return before

    payloads = [b"one", b"two"]
    assert ask(change, *payloads) == ask(delete, *payloads) == [str(each) for each in payloads]


def test_weak_references_end(ask):
    references, told = [], []

    def refer(message):
        references.append(weakref.ref(message, told.append))
        return [each() is None for each in references]

    assert ask(refer, b"one", b"two") == ["[False]", "[True, False]"]
    # The callback's frame goes behind the answer.
    wait_until(lambda: told == references)


def test_finalizers_run(ask, monkeypatch):
    ended = []
    monkeypatch.setattr(
        TextMessage, "__del__", lambda message: ended.append(message.data), raising=False
    )
    ask(len, b"one", b"two")
    wait_until(lambda: ended == [b"one", b"two"])


def test_a_message_may_be_kept_by_an_error(ask):
    errors = []

    def fail(message):
        try:
            json.loads(message.data)
        except ValueError as error:
            errors.append(error)

    ask(fail, b"one", b"two")
    found = [each.__traceback__.tb_frame.f_locals["message"].data for each in errors]
    assert found == [b"one", b"two"]


def test_a_class_may_be_patched(ask, monkeypatch):
    monkeypatch.setattr(TextMessage, "encoding", "latin-1")
    monkeypatch.setattr(TextMessage, "shout", lambda message: message.data.upper(), raising=False)
    assert ask(lambda message: (message.encoding, message.shout()), b"x") == ["('latin-1', b'X')"]


class TestCompiled:
    @pytest.fixture(name="ask")
    def fixture_ask(self):
        twins.compiled("ws4py._messaging_c")
        with engine("lane") as served:
            websocket, peer = served.connect(Handler)
            in_lane(served, websocket)

            def ask(handle):
                websocket.handle = handle
                peer.send(frame(TEXT, b"text"))
                return peer.read_frame().payload.decode()

            yield ask

    def test_it_is_the_same_object(self, ask):
        """One that tracemalloc has seen being made is new."""
        ask(len)
        tracemalloc.start()
        try:
            assert ask(tracemalloc.get_object_traceback) == "None"
            kept = []
            ask(kept.append)
            ask(kept.append)
            assert tracemalloc.get_object_traceback(kept[1]) is not None
        finally:
            tracemalloc.stop()

    def test_its_payload_goes_at_once(self, ask):
        wait_until(lambda: ask(len) and spare())
        assert not hasattr(spare()[0], "data")

    def test_whoever_finds_it_has_it(self, ask):
        wait_until(lambda: ask(len) and spare())
        found = spare()
        found[0].mark = True
        assert ask(lambda message: hasattr(message, "mark")) == "False"
        assert not hasattr(found[0], "data")
        # Nobody else has it any more.
        assert sys.getrefcount(found[0]) == sys.getrefcount([object()][0]) + 1


def spare():
    """The message that waits in the lane."""
    return [
        each for each in gc.get_objects() if type(each) is TextMessage and not hasattr(each, "data")
    ]
