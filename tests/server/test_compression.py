"""permessage-deflate on the WSGI servers, with a client of another library."""

import pytest
from websockets.sync.client import connect

from tests.support import gevent_app, hub_thread, wsgiref_thread
from tests.support.raw import TEXT, frame
from tests.support.serving import Peer
from tests.support.sockets import pair
from tests.support.wire import ALL_WIDTHS
from tests.support.wsgi import environ_of
from ws4py.manager import WebSocketManager
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.server import geventserver, wsgirefserver, wsgiutils
from ws4py.websocket import EchoWebSocket

_TEXT = ALL_WIDTHS * 1000
_OFFER = "permessage-deflate; client_max_window_bits"
_REMEMBER = PerMessageDeflate(
    server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
)
#: "Hello", compressed: RFC 7692 section 7.2.3.1.
_HELLO = bytes.fromhex("f248cdc9c90700")
_WAYS = pytest.mark.parametrize("extensions", [["permessage-deflate"], _REMEMBER])


def assert_it_works(port, log):
    with connect(f"ws://localhost:{port}/ws") as client:
        answered = client.response.headers["Sec-WebSocket-Extensions"]
        assert answered.startswith("permessage-deflate")
        assert log.handlers[-1].extensions == [answered]
        for message in (_TEXT, "Hello", "", _TEXT.encode(), _TEXT):
            client.send(message)
            assert client.recv() == message
    with connect(f"ws://localhost:{port}/ws", compression=None) as client:
        assert "Sec-WebSocket-Extensions" not in client.response.headers
        client.send(_TEXT)
        assert client.recv() == _TEXT


@_WAYS
def test_wsgiref(extensions):
    log = gevent_app.Log()
    application = gevent_app.application_of(EchoWebSocket, log, extensions=extensions)
    with wsgiref_thread.serving(application, wsgirefserver.WSGIServer) as served:
        assert_it_works(served.server.server_port, log)


@_WAYS
def test_gevent(extensions):
    log = gevent_app.Log()
    application = gevent_app.application_of(EchoWebSocket, log, extensions=extensions)
    with hub_thread.serving(geventserver.WSGIServer, application) as served:
        assert_it_works(served.server.server_port, log)


def test_a_socket_that_the_application_takes_itself(monkeypatch):
    manager = WebSocketManager()
    application = wsgiutils.WebSocketWSGIApplication(
        extensions=_REMEMBER, handler_cls=EchoWebSocket, manager=manager
    )
    environ = environ_of(HTTP_SEC_WEBSOCKET_EXTENSIONS=_OFFER)
    manager.start()
    with pair() as (sock, peer):
        first = frame(TEXT, _HELLO, rsv=4)
        monkeypatch.setattr(wsgiutils, "take_socket", lambda _environ: (sock, first))
        application(environ, lambda *_: None)
        client = Peer(peer)
        assert client.read_response().get("Sec-WebSocket-Extensions") == (
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
        )
        received = client.read_frame()
        assert (received.payload, received.rsv) == (_HELLO, 4)
        client.say_goodbye()
    manager.stop()
    manager.join()


def test_a_handler_that_is_not_ours_is_promised_nothing():
    told = []
    application = wsgiutils.WebSocketWSGIApplication(
        extensions="permessage-deflate", handler_cls=lambda *_: object()
    )
    environ = {"ws4py.socket": None, **environ_of(HTTP_SEC_WEBSOCKET_EXTENSIONS=_OFFER)}
    application(environ, lambda status, headers: told.append((status, dict(headers))))
    ((status, headers),) = told
    assert status.startswith("101")
    assert "Sec-WebSocket-Extensions" not in headers
