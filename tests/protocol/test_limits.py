import dataclasses

import pytest

from ws4py.protocol.limits import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_MESSAGE_SIZE, Limits

# What Autobahn needs: cases 9.1.6 and 9.2.6, a message of 16 MiB; case 9.3.1, a
# message of 4 MiB in fragments of 64 bytes.
LARGEST_MESSAGE = 16 * 2**20
MOST_FRAGMENTS = 4 * 2**20 // 64


class TestDefaults:
    """RFC 6455 section 10.4."""

    def test_there_are_limits(self):
        limits = Limits()
        assert limits.max_message_size == DEFAULT_MAX_MESSAGE_SIZE
        assert limits.max_fragments == DEFAULT_MAX_FRAGMENTS
        assert limits.max_frame_size is None

    def test_they_let_autobahn_pass(self):
        assert DEFAULT_MAX_MESSAGE_SIZE >= LARGEST_MESSAGE
        assert DEFAULT_MAX_FRAGMENTS >= MOST_FRAGMENTS


def test_they_do_not_change_while_a_connection_uses_them():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().max_fragments = None
