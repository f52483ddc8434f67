"""Two ends of the protocol joined by a fake link: the core without any socket."""

import random

from ws4py.protocol.connection import CLIENT, SERVER, Connection


class ConnectionPair:
    """A client and a server; what one sends, the other receives, cut at random."""

    def __init__(self, seed=0, server=None, client=None) -> None:
        self.server = server or Connection(SERVER)
        self.client = client or Connection(CLIENT)
        self._random = random.Random(seed)

    def deliver(self, data, to) -> list:
        """Let one end receive bytes in pieces of random length; answers are delivered back."""
        events = []
        while data:
            cut = self._random.randint(1, len(data))
            piece, data = data[:cut], data[cut:]
            for event in to.receive(piece):
                events.append(event)
                answer = to.respond(event)
                if answer:
                    other = self.client if to is self.server else self.server
                    events += [("answer", each) for each in self.deliver(answer, other)]
        return events
