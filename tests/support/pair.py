"""Two ends of the protocol joined by a fake link: the core without any socket."""

import random

import pytest

from tests.support.wire import BINARY, Frame, frame, read_frames
from ws4py.protocol.connection import CLIENT, SERVER, Connection, Role
from ws4py.protocol.state import OPEN

BOTH_ROLES = pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
BOTH_ENDS = pytest.mark.parametrize("name", ["server", "client"])


def peer_frame(role, *arguments, **keywords):
    """A frame as the peer of ``role`` has to send it."""
    return frame(*arguments, mask=role is SERVER, **keywords)


def answer(connection, *pieces):
    """Let a connection receive the pieces; return the frames it answers."""
    replies = [connection.respond(event) for piece in pieces for event in connection.receive(piece)]
    return read_frames(b"".join(replies))


class End:
    """One end: its connection, and what a shell around it would have seen."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Every byte that has left here.
        self.sent = b""
        #: Bytes on their way to here.
        self.inbox = b""
        #: Whole messages handed to the program, in order.
        self.messages: list[tuple[int, bytes]] = []
        #: All events, in order.
        self.events: list[tuple[int, bytes]] = []

    def frames(self) -> list[Frame]:
        """What has left here, read by a parser of the tests' own."""
        return read_frames(self.sent)


class ConnectionPair:
    """A client and a server; what one sends, the other receives, cut at random.

    It does what every shell does: feed, answer event by event, deliver messages
    while the connection is open, and stop reading when the core says so.
    """

    def __init__(self, seed=0, server=None, client=None) -> None:
        self.server = End(server or Connection(SERVER))
        self.client = End(client or Connection(CLIENT))
        self._random = random.Random(seed)

    def other(self, end: End) -> End:
        return self.client if end is self.server else self.server

    def send(self, end: End, data: bytes) -> None:
        """Put bytes that ``end`` sends on the link."""
        end.sent += data
        self.other(end).inbox += data

    def deliver(self, end: End, size: int) -> None:
        """Let ``end`` receive the next ``size`` bytes, and answer them."""
        data, end.inbox = end.inbox[:size], end.inbox[size:]
        for event in end.connection.receive(data):
            end.events.append(event)
            if event[0] <= BINARY and end.connection.state is OPEN:
                end.messages.append(event)
            self.send(end, end.connection.respond(event))

    def run(self) -> None:
        """Deliver everything, in pieces of random length, until the link is silent."""
        while waiting := [end for end in (self.server, self.client) if end.inbox]:
            end = self._random.choice(waiting)
            self.deliver(end, self._random.randint(1, len(end.inbox)))
