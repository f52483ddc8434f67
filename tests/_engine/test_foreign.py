"""Objects that read and write themselves, and are told when."""

from unittest.mock import MagicMock, call

import pytest

from ws4py._engine.foreign import ForeignChannel


@pytest.fixture(name="channel")
def fixture_channel():
    websocket = MagicMock(spec=["sock", "once", "terminate", "terminated", "close"])
    websocket.sock.fileno.return_value = 7
    websocket.terminated = False
    return ForeignChannel(MagicMock(), websocket)


def test_reads_while_there_is_more(channel):
    channel.started()
    channel.on_ready(1)
    channel.on_ready(1)
    assert channel.websocket.once.call_count == 2
    assert not channel.retired
    channel.loop.forget.assert_not_called()


@pytest.mark.parametrize("result", [False, ValueError("mine")])
def test_ends_when_there_is_no_more(channel, result, caplog):
    channel.websocket.once.side_effect = [result]
    channel.on_ready(1)
    assert channel.retired
    channel.loop.forget.assert_called_once_with(channel)
    channel.websocket.terminate.assert_called_once_with()
    channel.on_ready(1)
    channel.end()
    channel.expire()
    assert channel.websocket.once.call_count == 1
    channel.websocket.terminate.assert_called_once_with()
    assert bool(caplog.records) is isinstance(result, ValueError)


def test_one_that_has_ended_itself(channel):
    channel.websocket.terminated = True
    channel.expire()
    channel.websocket.terminate.assert_not_called()
    channel.loop.forget.assert_called_once_with(channel)


def test_goodbye(channel):
    channel.say_goodbye(1001, "bye")
    channel.websocket.close.assert_called_once_with(code=1001, reason="bye")
    assert not channel.retired
    channel.websocket.close.side_effect = lambda **_: setattr(channel.websocket, "terminated", True)
    channel.say_goodbye(1001, "bye")
    assert channel.retired


def test_let_go(channel):
    channel.let_go()
    assert channel.retired
    (posted,) = channel.loop.post.call_args.args
    posted()
    assert channel.loop.forget.mock_calls == [call(channel)]
    channel.websocket.terminate.assert_not_called()


def test_descriptor(channel):
    assert channel.fd == 7
    assert channel.has_descriptor()
    channel.websocket.sock.fileno.return_value = -1
    assert not channel.has_descriptor()
    channel.websocket.sock = None
    assert not channel.has_descriptor()
