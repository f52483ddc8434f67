"""Closing a connection that came too late: a close frame, an end, and no waiting."""

import socket

import pytest

from tests.support.raw import TEXT, frame
from tests.support.serving import Peer
from tests.support.sockets import KINDS, pair
from ws4py._engine.turn_away import turn_away


@pytest.mark.parametrize("kind", KINDS)
def test_the_peer_is_told_why(kind):
    with pair(kind) as (sock, peer):
        turn_away(sock, 1013, "full")
        client = Peer(peer)
        received = client.read_frame()
        assert received.close_code == 1013
        assert received.payload[2:] == b"full"
        assert client.at_end()
        assert sock.fileno() == -1


def test_what_the_peer_sent_does_not_cost_it_the_reason():
    with pair() as (sock, peer):
        peer.sendall(frame(TEXT, b"early"))
        turn_away(sock, 1001, "too late")
        client = Peer(peer)
        assert client.read_frame().close_code == 1001
        # An end and no reset.
        assert peer.recv(1) == b""


def test_a_peer_that_is_gone():
    with pair() as (sock, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
        turn_away(sock, 1001, "too late")
        assert sock.fileno() == -1
