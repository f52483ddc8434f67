"""The demo's server without a browser: bad input, vanished peers, signals, a port in use."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from websockets.sync.client import connect

from tests.examples.demo_process import APP
from tests.examples.polling import DEADLINE
from tests.support.raw import TEXT, RawClient, frame

NOT_UNDERSTOOD = {"type": "error", "text": "The server did not understand that message."}


@pytest.fixture
def client(demo):
    """Return a function that opens a connection and joins under a name."""
    with ExitStack() as stack:

        def join(name):
            opened = stack.enter_context(connect(f"ws://127.0.0.1:{demo.port}/ws"))
            opened.send(json.dumps({"type": "join", "name": name}))
            return opened

        yield join


def receive(connection, *kinds):
    """Return the next message of one of these kinds."""
    return receive_if(connection, lambda message: message["type"] in kinds, kinds)


def receive_event(connection, event, name):
    wanted = {"type": "people", "event": event, "name": name}
    return receive_if(connection, lambda message: wanted.items() <= message.items(), wanted)


def receive_if(connection, condition, what):
    # The ticker never stops, so a time limit for one message would not end the wait.
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        message = json.loads(connection.recv(timeout=DEADLINE))
        if condition(message):
            return message
    raise AssertionError(f"not received after {DEADLINE:.0f} s: {what}")


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "not json",
        "null",
        "[]",
        "NaN",
        "[" * 5000,
        '"text"',
        '{"type": []}',
        '{"type": "unknown"}',
        '{"type": "say", "text": 5}',
        '{"type": "say", "text": null}',
        '{"type": "join", "name": {}}',
        '{"type": "probe", "id": "one"}',
        '{"type": "probe"}',
        b"\xff\xfe\x00binary",
        b"\x80\x81",
    ],
)
def test_malformed_message_is_answered_to_its_sender_only(client, payload):
    sender = client("Ada")
    witness = client("Grace")
    receive(sender, "welcome")
    receive(witness, "welcome")
    sender.send(payload)
    assert receive(sender, "error") == NOT_UNDERSTOOD
    # The connection goes on, and the other heard of the line but not of the error.
    sender.send(json.dumps({"type": "say", "text": "still here"}))
    assert receive(witness, "say", "error")["text"] == "still here"


@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
def test_message_length_is_limited(client, text):
    ada = client("Ada")
    ada.send(json.dumps({"type": "say", "text": text}))
    assert receive(ada, "say", "error")["type"] == "error"
    ada.send(json.dumps({"type": "say", "text": "x" * 500}))
    assert receive(ada, "say", "error")["text"] == "x" * 500


def test_nobody_speaks_before_joining(demo):
    with connect(f"ws://127.0.0.1:{demo.port}/ws") as stranger:
        stranger.send(json.dumps({"type": "say", "text": "hello"}))
        assert receive(stranger, "say", "error")["type"] == "error"


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("A\u200bd\u202ea\n", "A d a"),
        ("x" * 100, "x" * 24),
        (" \u200b ", "Guest"),
        ("\ud800", "Guest"),
    ],
)
def test_names_are_cleaned(client, wanted, given):
    assert receive(client(wanted), "welcome")["name"] == given


def test_names_are_unique(client):
    names = [receive(client(name), "welcome")["name"] for name in ("Ada", "Ada", "ADA")]
    assert names == ["Ada", "Ada 2", "ADA 3"]


def test_history_is_bounded(client):
    ada = client("Ada")
    for number in range(60):
        ada.send(json.dumps({"type": "say", "text": str(number)}))
    while receive(ada, "say")["text"] != "59":
        pass
    history = receive(client("Grace"), "welcome")["history"]
    assert [line["text"] for line in history] == [str(number) for number in range(10, 60)]


def test_vanished_peer_leaves_the_list(client, demo):
    ada = client("Ada")
    receive(ada, "welcome")
    with RawClient(("127.0.0.1", demo.port)) as mary:
        mary.upgrade("/ws")
        mary.send(frame(TEXT, b'{"type": "join", "name": "Mary"}'))
        assert receive_event(ada, "joined", "Mary")["names"] == ["Ada", "Mary"]
        # No closing handshake, not even that of TCP.
        mary.reset()
    assert receive_event(ada, "left", "Mary")["names"] == ["Ada"]


def post(demo, body, content_type="application/json"):
    request = urllib.request.Request(
        f"{demo.url}broadcast", data=body, headers={"Content-Type": content_type}
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return json.load(answer)


def test_page_handler_pushes(client, demo):
    ada = client("Ada")
    receive(ada, "welcome")
    assert post(demo, b'{"text": " news "}') == {"windows": 1}
    assert receive(ada, "broadcast") == {"type": "broadcast", "text": "news"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"text": "  "}', "application/json", 400),
        (b'{"text": 5}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b" " * 70_000, "application/json", 413),
        (json.dumps({"text": "x" * 501}).encode(), "application/json", 400),
        # A form of another site cannot send JSON, so it cannot broadcast.
        (b"text=news", "application/x-www-form-urlencoded", 415),
    ],
)
def test_page_handler_refuses_what_it_cannot_push(demo, body, content_type, status):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        post(demo, body, content_type)
    refusal.value.close()
    assert refusal.value.code == status


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signal_ends_it_cleanly_with_windows_open(client, demo, how):
    connections = [client("Ada"), client("Grace")]
    for connection in connections:
        receive(connection, "welcome")
    assert demo.end(how) == 0


def test_port_in_use_is_said_in_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, str(APP), "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}. Choose another with --port." in ended.stderr
    assert "Traceback" not in ended.stderr
