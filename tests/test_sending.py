"""What every sent message runs through first: which build of it, and that both do the same."""

import pytest

import ws4py
from tests.support import twins
from ws4py import _sending, _sending_py


class Sender:
    """As much of a websocket as is needed."""

    _take = None

    def __init__(self) -> None:
        self.sent = []

    def _send(self, payload, binary):
        self.sent.append((payload, binary))


@pytest.fixture(name="send", params=twins.builds(_sending_py, "ws4py._sending_c"))
def fixture_send(request):
    return twins.build(request.param).send


def test_it_is_a_method(send):
    kind = type("Sending", (Sender,), {"send": send})
    sender = kind()
    sender.send("text")
    sender.send(b"bytes", True)
    sender.send(payload=b"named", binary=True)
    kind.send(sender, "by class", binary=False)
    assert sender.sent == [
        ("text", False),
        (b"bytes", True),
        (b"named", True),
        ("by class", False),
    ]
    assert kind.send.__name__ == "send"
    assert "Thread-safe" in kind.send.__doc__


def test_it_wants_a_payload(send):
    with pytest.raises(TypeError):
        send(Sender())
    with pytest.raises(TypeError):
        send(Sender(), "text", False, "more")


def test_its_errors_are_those_of_the_websocket(send):
    class Closed(Sender):
        def _send(self, payload, binary):
            raise ConnectionError("closed")

    with pytest.raises(ConnectionError, match="closed"):
        send(Closed(), "text")


def test_a_short_way_that_takes_nothing():
    compiled = twins.compiled("ws4py._sending_c")
    sender = Sender()
    sender._take = compiled.ShortWay()
    compiled.send(sender, "text")
    assert sender.sent == [("text", False)]


def test_compiled_where_it_is(monkeypatch):
    made = twins.compiled("ws4py._sending_c")
    assert twins.selected(monkeypatch, _sending)["send"] is made.send


def test_pure_where_it_is_missing(monkeypatch):
    monkeypatch.delattr(ws4py, "_sending_c", raising=False)
    names = twins.selected(monkeypatch, _sending, missing="ws4py._sending_c")
    assert names["send"] is _sending_py.send


def test_pure_where_the_user_wants_it(monkeypatch):
    assert twins.selected(monkeypatch, _sending, pure=True)["send"] is _sending_py.send
