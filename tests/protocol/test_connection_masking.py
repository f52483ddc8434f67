"""Who masks, and with which keys."""

import os

from tests.support.pair import BOTH_ROLES, answer
from tests.support.wire import (
    BINARY,
    PING,
    TEXT,
    frame,
    keys,
)
from ws4py.protocol.connection import CLIENT, SERVER, Connection


class TestMasking:
    """RFC 6455 sections 5.1 and 5.3."""

    def test_a_server_does_not_mask(self):
        connection = Connection(SERVER)
        sent = connection.send_message(TEXT, b"x") + connection.send_ping(b"")
        assert keys(sent + connection.send_close(1000)) == [None] * 3

    def test_a_client_masks_everything(self):
        connection = Connection(CLIENT)
        sent = connection.send_message(TEXT, b"x") + connection.send_ping(b"")
        sent += connection.send_pong(b"") + connection.send_fragment(TEXT, b"x", True, True)
        sent += b"".join(map(connection.respond, connection.receive(frame(PING, mask=False))))
        assert None not in keys(sent + connection.send_close(1000))

    def test_every_key_is_drawn_from_the_systems_generator(self, monkeypatch):
        drawn = []

        def urandom(size, real=os.urandom):
            drawn.append(real(size))
            return drawn[-1]

        monkeypatch.setattr(os, "urandom", urandom)
        connection = Connection(CLIENT)
        sent = b"".join(connection.send_message(TEXT, b"x") for _ in range(10_000))
        assert keys(sent) == drawn

    def test_keys_look_random(self):
        """Ten thousand of them. Chance fails this once in 10^10 runs."""
        connection = Connection(CLIENT)
        used = keys(b"".join(connection.send_message(BINARY, b"") for _ in range(10_000)))
        assert len(set(used)) > 9_990
        octets = b"".join(used)
        expected = len(octets) / 256
        chi_squared = sum((octets.count(each) - expected) ** 2 / expected for each in range(256))
        # 255 degrees of freedom; the square root of twice that is one deviation.
        assert abs(chi_squared - 255) < 8 * 510**0.5

    @BOTH_ROLES
    def test_the_peer_is_held_to_its_part(self, role):
        connection = Connection(role)
        assert connection.expect_mask is (role is SERVER)
        assert answer(connection, frame(TEXT, b"x", mask=role is not SERVER))[0].close_code == 1002
