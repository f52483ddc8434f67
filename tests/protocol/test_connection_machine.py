"""Two connections on a link, used in any order: what holds whatever happens."""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.pair import ConnectionPair
from tests.support.wire import BINARY, CLOSE, PING, PONG, TEXT
from ws4py.exc import ConnectionClosed
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.state import CLOSED, OPEN, TRANSITIONS, State

ends = st.sampled_from(["server", "client"])
opcodes = st.sampled_from([TEXT, BINARY])
texts = st.text(max_size=20).map(str.encode)
codes = st.sampled_from([1000, 1001, 1005, 1011, 3000, 4999])


class Watched(Connection):
    """A connection that writes down the states it has been in."""

    def __init__(self, role) -> None:
        self.history: list[State] = []
        super().__init__(role)

    def _do(self, act):
        # A pair that is not in the table raises KeyError, which fails the run.
        before = self.state
        assert (before, act) in TRANSITIONS
        super()._do(act)
        if self.state is not before:
            self.history.append(self.state)


class Machine(RuleBasedStateMachine):
    """RFC 6455 sections 5.4, 5.5.1 and 7.1."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = ConnectionPair(server=Watched(SERVER), client=Watched(CLIENT))
        # What each end's messages are, in the order in which they may leave.
        self.left = {"server": [], "client": []}
        self.fragments = {"server": None, "client": None}
        self.waiting = {"server": [], "client": []}
        self.broken = {"server": False, "client": False}

    def send(self, name, make):
        """Send what ``make(connection)`` gives, if the connection is open."""
        end = getattr(self.pair, name)
        was_open = end.connection.state is OPEN
        try:
            data = make(end.connection)
        except ConnectionClosed:
            assert not was_open
            return False
        assert was_open
        self.pair.send(end, data)
        return True

    @rule(name=ends, opcode=opcodes, payload=texts)
    def message(self, name, opcode, payload):
        if self.send(name, lambda connection: connection.send_message(opcode, payload)):
            queue = self.left if self.fragments[name] is None else self.waiting
            queue[name].append((opcode, payload))

    @rule(name=ends, opcode=opcodes, payload=texts, last=st.booleans())
    def fragment(self, name, opcode, payload, last):
        begun = self.fragments[name]
        kind = opcode if begun is None else begun[0]
        if not self.send(
            name, lambda connection: connection.send_fragment(kind, payload, begun is None, last)
        ):
            return
        whole = (kind, payload if begun is None else begun[1] + payload)
        self.fragments[name] = None if last else whole
        if last:
            self.left[name] += [whole, *self.waiting[name]]
            self.waiting[name] = []

    @rule(name=ends, payload=st.binary(max_size=125), ping=st.booleans())
    def control(self, name, payload, ping):
        kind = Connection.send_ping if ping else Connection.send_pong
        self.send(name, lambda connection: kind(connection, payload))

    @rule(name=ends, code=codes, reason=st.text(max_size=150))
    def close(self, name, code, reason):
        end = getattr(self.pair, name)
        was_open = end.connection.state is OPEN
        data = end.connection.send_close(code, reason)
        assert bool(data) is was_open
        self.pair.send(end, data)

    @rule(name=ends)
    def fail(self, name):
        end = getattr(self.pair, name)
        self.pair.send(end, end.connection.fail())

    @rule(name=ends)
    def lose(self, name):
        end = getattr(self.pair, name)
        end.connection.lose()
        # The link ends here, so the other end hears nothing more.
        self.broken[name] = True

    @precondition(lambda self: not any(self.broken.values()))
    @rule(name=ends, junk=st.binary(min_size=1, max_size=4))
    def disturb(self, name, junk):
        """A peer that has gone mad, for which no promise of the sender holds."""
        end = getattr(self.pair, name)
        end.inbox += junk
        self.broken[name] = True

    @rule(name=ends, size=st.integers(1, 300))
    def deliver(self, name, size):
        self.pair.deliver(getattr(self.pair, name), size)

    @rule()
    def deliver_everything(self):
        self.pair.run()

    @invariant()
    def at_most_one_close_frame_and_nothing_behind_it(self):
        for end in (self.pair.server, self.pair.client):
            sent = [each.opcode for each in end.frames()]
            assert CLOSE not in sent[:-1]
            assert (CLOSE in sent) is (end.connection.close_sent is not None)

    @invariant()
    def both_ends_agree_on_the_messages(self):
        """What was delivered is a beginning of what was sent."""
        for name in ("server", "client"):
            sender = getattr(self.pair, name)
            receiver = self.pair.other(sender)
            if not self.is_broken(receiver):
                sent = self.left[name]
                assert receiver.messages == sent[: len(receiver.messages)]

    @invariant()
    def everything_arrives_while_nobody_closes(self):
        ends = (self.pair.server, self.pair.client)
        if any(self.broken.values()) or any(end.inbox for end in ends):
            return
        if all(end.connection.state is OPEN for end in ends):
            assert self.pair.client.messages == self.left["server"]
            assert self.pair.server.messages == self.left["client"]

    @invariant()
    def a_peer_that_keeps_to_the_rules_breaks_none(self):
        if not any(self.broken.values()):
            for end in (self.pair.server, self.pair.client):
                assert end.connection.violation is None

    @invariant()
    def pings_are_answered_in_order(self):
        for end in (self.pair.server, self.pair.client):
            asked = [payload for opcode, payload in end.events if opcode == PING]
            replies = [each.payload for each in end.frames() if each.opcode == PONG]
            if end.connection.state is OPEN:
                # Unsolicited pongs may stand between them.
                rest = iter(replies)
                assert all(payload in rest for payload in asked)

    @invariant()
    def closed_exactly_once(self):
        for end in (self.pair.server, self.pair.client):
            history = end.connection.history
            assert CLOSED not in history[:-1]
            assert (end.connection.state is CLOSED) is (history[-1:] == [CLOSED])
            assert len(set(history)) == len(history)

    @invariant()
    def a_finished_handshake_is_the_same_at_both_ends(self):
        server, client = self.pair.server.connection, self.pair.client.connection
        if any(self.broken.values()) or not (server.close_received and client.close_received):
            return
        assert server.close_received == client.close_sent
        assert client.close_received == server.close_sent

    def is_broken(self, end):
        return self.broken["server" if end is self.pair.server else "client"]


Machine.TestCase.settings = settings(
    # `make fuzz` runs more of them.
    max_examples=int(os.environ.get("WS4PY_MACHINE_EXAMPLES", "60")),
    stateful_step_count=40,
    deadline=None,
)
TestMachine = Machine.TestCase
