"""permessage-deflate on CherryPy, with a client of another library."""

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

from tests.support.cherrypy_app import JournalledEcho, cherrypy_app
from tests.support.raw import BINARY, TEXT, frame
from tests.support.wire import ALL_WIDTHS
from ws4py.protocol.deflate import PerMessageDeflate

_OFFER = "permessage-deflate; client_max_window_bits"
_TEXT = ALL_WIDTHS * 1000
_REMEMBER = PerMessageDeflate(
    server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
)
#: "Hello", compressed: RFC 7692 section 7.2.3.1.
_HELLO = bytes.fromhex("f248cdc9c90700")


class Forgetful(JournalledEcho):
    """A constructor of 0.6's days that tells ours nothing."""

    def __init__(self, sock, protocols, extensions, environ, heartbeat_freq=None) -> None:
        super().__init__(sock)


def compressing(extensions, **keywords):
    config = {"/ws": {"tools.websocket.extensions": extensions}}
    return cherrypy_app(config=config, **keywords)


@pytest.mark.parametrize(
    "extensions",
    [["permessage-deflate"], "permessage-deflate", PerMessageDeflate(), [_REMEMBER]],
    ids=["name in a list", "name", "options", "options in a list"],
)
def test_it_is_switched_on_by_name_or_with_options(extensions):
    with compressing(extensions) as app, connect(f"ws://{app.host}/ws") as client:
        answered = client.response.headers["Sec-WebSocket-Extensions"]
        assert answered.startswith("permessage-deflate")
        assert app.journal.last("opened").extensions == [answered]
        for message in (_TEXT, "Hello", "", _TEXT.encode(), b"Hello", "Hello"):
            client.send(message)
            assert client.recv() == message
        client.send(iter(["Hel", "lo"] * 300))
        assert client.recv() == "Hello" * 300


@pytest.mark.parametrize("window", [9, 12, 15])
@pytest.mark.parametrize("forget", [True, False])
def test_what_a_client_asks_for_it_gets(window, forget):
    asked = ClientPerMessageDeflateFactory(
        server_no_context_takeover=forget,
        client_no_context_takeover=forget,
        server_max_window_bits=window,
        client_max_window_bits=window,
    )
    with (
        compressing([_REMEMBER]) as app,
        connect(f"ws://{app.host}/ws", compression=None, extensions=[asked]) as client,
    ):
        answered = client.response.headers["Sec-WebSocket-Extensions"]
        assert f"server_max_window_bits={min(window, 12)}" in answered
        assert ("server_no_context_takeover" in answered) is forget
        for message in (_TEXT, _TEXT, _TEXT.encode()):
            client.send(message)
            assert client.recv() == message


def test_the_bytes_on_the_wire():
    with compressing([_REMEMBER]) as app, app.client() as client:
        response = client.upgrade(
            sec_websocket_extensions=_OFFER, behind=frame(TEXT, _HELLO, rsv=4)
        )
        assert response.get("Sec-WebSocket-Extensions") == (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        )
        echo = client.read_frame()
        assert (echo.payload, echo.rsv) == (_HELLO, 4)
        # What is not marked is taken as it is, and answered compressed: section 7.2.3.2.
        client.send(frame(TEXT, b"Hello"))
        echo = client.read_frame()
        assert (echo.payload, echo.rsv) == (bytes.fromhex("f200110000"), 4)
        client.say_goodbye()


@pytest.mark.parametrize("extensions", [None, [], ["x-webkit-deflate-frame"]])
def test_it_is_off_unless_named(extensions):
    with compressing(extensions) as app, connect(f"ws://{app.host}/ws") as client:
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        client.send(_TEXT)
        assert client.recv() == _TEXT
        assert app.journal.last("opened").extensions == []


@pytest.mark.parametrize("offer", [None, "x-other", "permessage-deflate; x-unknown", "x; y=1"])
def test_it_is_off_for_who_offers_nothing_that_fits(offer):
    with compressing(["permessage-deflate"]) as app, app.client() as client:
        response = client.upgrade(sec_websocket_extensions=offer, behind=frame(TEXT, _HELLO, rsv=4))
        assert response.get("Sec-WebSocket-Extensions") is None
        # RSV1 is nobody's then.
        assert client.read_frame().close_code == 1002
        assert client.at_end()


def test_a_handler_need_not_pass_on_what_was_agreed_on():
    with (
        compressing(["permessage-deflate"], handler=Forgetful) as app,
        connect(f"ws://{app.host}/ws") as client,
    ):
        assert client.response.headers["Sec-WebSocket-Extensions"]
        client.send(_TEXT)
        assert client.recv() == _TEXT


def test_a_bomb_is_closed_with_the_settings_name_and_nobody_else_notices():
    payload = PerMessageDeflate().accept([])[1].encode(BINARY, bytes(1_000_000))
    handler = type("Limited", (JournalledEcho,), {"max_message_size": 100_000})
    with (
        compressing(["permessage-deflate"], handler=handler) as app,
        app.connect(sec_websocket_extensions=_OFFER) as attacker,
        app.connect(sec_websocket_extensions=_OFFER) as witness,
    ):
        attacker.send(frame(BINARY, payload, rsv=4))
        close = attacker.read_frame()
        assert close.close_code == 1009
        assert b"max_message_size" in close.payload
        assert attacker.at_end()
        witness.send(frame(TEXT, b"still here"))
        assert witness.read_frame().payload == b"still here"
        witness.say_goodbye()


def test_a_broadcast_reaches_those_with_it_and_those_without():
    with (
        compressing(["permessage-deflate"]) as app,
        connect(f"ws://{app.host}/ws") as compressed,
        connect(f"ws://{app.host}/ws", compression=None) as plain,
    ):
        for client in (compressed, plain):
            client.send("there")
            assert client.recv() == "there"
        app.plugin.broadcast(_TEXT)
        for client in (compressed, plain):
            assert client.recv() == _TEXT
