"""permessage-deflate on every server, with and without TLS."""

from tests.support.raw import PING, PONG, TEXT, Frame, frame
from tests.support.wire import ALL_WIDTHS
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.headers import parse_extensions

_TEXT = ALL_WIDTHS.encode() * 1000
_OFFER = "permessage-deflate; client_max_window_bits"


def test_a_text_comes_back_compressed(served):
    with served.client() as client:
        response = client.upgrade(sec_websocket_extensions=_OFFER)
        ((_, answered),) = parse_extensions(response.get("Sec-WebSocket-Extensions"))
        deflate = PerMessageDeflate().confirm(answered)
        for _ in range(3):
            client.send(frame(TEXT, deflate.encode(TEXT, _TEXT), rsv=4) + frame(PING, b"p"))
            echo = client.read_frame()
            assert (echo.opcode, echo.rsv) == (TEXT, 4)
            assert len(echo.payload) < len(_TEXT) / 10
            assert deflate.decode(echo.payload, True, len(_TEXT)) == _TEXT
            assert client.read_frame() == Frame(PONG, b"p")
        assert client.say_goodbye().close_code == 1000
