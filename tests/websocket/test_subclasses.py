"""Constructors and overridden methods as real programs have them."""

import weakref

import pytest

from tests.support.raw import TEXT, close_frame, frame
from tests.support.serving import Recorder, serving
from tests.support.waiting import wait_until
from ws4py.streaming import Stream
from ws4py.websocket import WebSocket


class NeverCallsOurs(Recorder):
    """Does all by itself, as a client does that injects its own socket."""

    def __init__(self, sock, protocols=None, extensions=None, environ=None, heartbeat_freq=None):
        self.stream = Stream()
        self.sock = sock
        self.environ = environ
        self.events, self.threads, self.released = [], set(), None


class FillsInBefore(Recorder):
    def __init__(self, *arguments, **keywords):
        self.metadata = {"user": 1}
        self.heartbeat_freq = 1
        self.sock_timeout = 5
        super().__init__(*arguments, **keywords)


class FourPositional(Recorder):
    def __init__(self, sock, protocols, extensions, environ):
        super().__init__(sock, protocols, extensions, environ)


class LeadingArguments(Recorder):
    def __init__(self, config, sock, *arguments, **keywords):
        self.config = config
        super().__init__(sock, *arguments, **keywords)


class OwnNew(Recorder):
    instances = weakref.WeakSet()  # noqa: RUF012 - so programs do

    def __new__(cls, *_, **__):
        instance = super().__new__(cls)
        cls.instances.add(instance)
        return instance


class ForcedHeartbeat(Recorder):
    def __init__(self, *arguments, **keywords):
        keywords["heartbeat_freq"] = 20
        super().__init__(*arguments, **keywords)


@pytest.mark.parametrize(
    "make",
    [
        NeverCallsOurs,
        FillsInBefore,
        lambda sock: FourPositional(sock, [], [], {}),
        lambda sock: LeadingArguments("config", sock),
        OwnNew,
        ForcedHeartbeat,
    ],
)
@pytest.mark.parametrize("kind", ["tcp", "ssl"])
def test_constructors(make, kind):
    with serving() as served:
        websocket, peer = served.connect(make, kind)
        peer.send(frame(TEXT, b"hi"))
        wait_until(lambda: websocket.messages == [b"hi"])
        websocket.send("yes")
        assert peer.read_frame().payload == b"yes"
        peer.send(close_frame(4000))
        assert peer.read_frame().close_code == 4000
        peer.sock.close()
        assert websocket.wait_end() == (4000, "")


def test_forced_heartbeat():
    websocket = ForcedHeartbeat(None, heartbeat_freq=None)
    assert websocket.heartbeat_freq == 20


def test_what_was_set_before_ours_is_kept():
    websocket = FillsInBefore(None, heartbeat_freq=7)
    assert websocket.metadata == {"user": 1}
    assert websocket.sock_timeout == 5
    assert websocket.heartbeat_freq == 7


def test_class_with_the_limits():
    class Small(WebSocket):
        max_message_size = 10

    websocket = Small(None)
    assert websocket.process(frame(TEXT, b"x" * 11)) is False
    assert websocket.stream.connection.violation.code == 1009


@pytest.mark.parametrize("signature", ["both", "default", "text", "any"])
def test_closed_gets_two_positional_arguments(signature):
    seen = []
    closed = {
        "both": lambda _, code, reason: seen.append((code, reason)),
        "default": lambda _, code, reason="": seen.append((code, reason)),
        "text": lambda _, code, reason="A long text": seen.append((code, reason)),
        "any": lambda _, *arguments, **__: seen.append(arguments),
    }[signature]
    type("Own", (WebSocket,), {"closed": closed})(None).terminate()
    assert seen == [(1006, "Going away")]


def test_environ_lives_until_closed_has_returned():
    class Using(WebSocket):
        def closed(self, code, reason=None):
            seen.append(self.environ.pop("user"))

    seen = []
    websocket = Using(None, environ={"user": "me"})
    websocket.terminate()
    assert seen == ["me"]
    assert websocket.environ is None


def test_send_of_another_signature():
    class Other(Recorder):
        def send(self, **message):
            super().send(repr(message))

    with serving() as served:
        websocket, peer = served.connect(Other)
        websocket.send(kind=1)
        assert peer.read_frame().payload == b"{'kind': 1}"


def test_messages_are_kept_and_sent_on():
    class Relay(Recorder):
        def received_message(self, message):
            kept.append(message)

    kept = []
    with serving() as served:
        websocket, peer = served.connect(Relay)
        peer.send(frame(TEXT, b"1") + frame(2, b"\xff"))
        wait_until(lambda: len(kept) == 2)
        assert [message.data for message in kept] == [b"1", b"\xff"]
        for message in kept:
            websocket.send(message)
        assert [peer.read_frame()[:2] for _ in range(2)] == [(TEXT, b"1"), (2, b"\xff")]
