"""Sub-protocols and extensions: one of what both have, and nothing promised beyond."""

import pytest

from tests.support.cherrypy_app import cherrypy_app
from tests.support.raw import TEXT, frame


class Answer:
    """What came of an offer."""

    def __init__(self, app, **changes) -> None:
        made = app.journal.count("made")
        with app.client() as client:
            self.response = client.upgrade(behind=frame(TEXT, b"hi"), **changes)
            self.status = self.response.status
            if self.status == 101:
                assert client.read_frame().payload == b"hi"
                self.handler = app.journal.last("opened")
                self.protocols = list(self.handler.protocols)
                self.extensions = list(self.handler.extensions)
                client.say_goodbye()
            else:
                assert client.at_end()
                assert app.journal.count("made") == made

    def all(self, name) -> list:
        return [value for field, value in self.response.headers if field == name]


@pytest.fixture
def chooser():
    """A server that speaks two sub-protocols, the newer rather."""
    with cherrypy_app(config={"/ws": {"tools.websocket.protocols": ["chat.2", "chat.1"]}}) as app:
        yield app


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [
        ("chat.1", "chat.1"),
        ("chat.2", "chat.2"),
        ("chat.1, chat.2", "chat.2"),
        ("chat.2, chat.1", "chat.2"),
        ("other, chat.1", "chat.1"),
        (["other", "chat.1"], "chat.1"),
        ("chat.1,chat.1", "chat.1"),
        (" , chat.1 ,", "chat.1"),
    ],
)
def test_one_is_chosen_by_the_servers_preference(chooser, offer, chosen):
    if isinstance(offer, list):
        # cheroot keeps the last of several fields of this name.
        offer = offer[-1:]
    answer = Answer(chooser, sec_websocket_protocol=offer)
    assert answer.all("Sec-WebSocket-Protocol") == [chosen]
    assert answer.protocols == [chosen]


@pytest.mark.parametrize("offer", ["other", "CHAT.1", "chat", "chat.10", "chat.1x, x"])
def test_who_offers_only_others_is_refused(chooser, offer):
    answer = Answer(chooser, sec_websocket_protocol=offer)
    assert answer.status == 400
    assert answer.all("Sec-WebSocket-Protocol") == []


@pytest.mark.parametrize("offer", [None, "", " , "])
def test_who_offers_none_gets_none(chooser, offer):
    answer = Answer(chooser, sec_websocket_protocol=offer)
    assert answer.status == 101
    assert answer.all("Sec-WebSocket-Protocol") == []
    assert answer.protocols == []


def test_an_offer_that_is_no_list_of_tokens_is_refused(chooser):
    assert Answer(chooser, sec_websocket_protocol="chat 1").status == 400
    assert Answer(chooser, sec_websocket_protocol='"chat.1"').status == 400


@pytest.mark.parametrize("own", [None, []])
def test_a_server_without_a_list_does_not_look_at_the_offer(own):
    with cherrypy_app(config={"/ws": {"tools.websocket.protocols": own}}) as app:
        answer = Answer(app, sec_websocket_protocol="chat.1, chat.2")
        assert answer.all("Sec-WebSocket-Protocol") == []
        assert answer.protocols == []


def test_an_extension_nobody_implements_is_never_promised():
    with cherrypy_app(config={"/ws": {"tools.websocket.extensions": ["x-shout"]}}) as app:
        answer = Answer(app, sec_websocket_extensions="x-shout; loud, x-other")
        assert answer.status == 101
        assert answer.all("Sec-WebSocket-Extensions") == []
        assert answer.extensions == []


def test_an_extension_that_is_not_asked_for_is_not_answered(chooser):
    offer = "permessage-deflate; client_max_window_bits"
    answer = Answer(chooser, sec_websocket_extensions=offer)
    assert answer.all("Sec-WebSocket-Extensions") == []


def test_a_malformed_offer_of_extensions_is_refused(chooser):
    assert Answer(chooser, sec_websocket_extensions="x; =").status == 400


@pytest.mark.parametrize(("spoken", "status"), [([13], 426), ((8, 13), 101), ({8}, 101)])
def test_the_versions_are_a_setting(spoken, status):
    with cherrypy_app(config={"/ws": {"tools.websocket.version": spoken}}) as app:
        assert Answer(app, sec_websocket_version="8").status == status
