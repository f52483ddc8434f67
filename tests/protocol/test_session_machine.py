"""Whole sessions in any order: opening, talking, resets, time-outs and ends, at both ends.

``test_connection_machine.py`` begins with open connections and knows no clock. Here the
connections come out of a handshake whose bytes are on the same link as the frames behind
it, permessage-deflate may be agreed on, either end may wait too long for the other, and
the link may break at any byte.
"""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.wire import BINARY, CLOSE, TEXT, read_frames
from ws4py.exc import ConnectionClosed, HandshakeError
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.handshake import ClientHandshake, Request, accept_request
from ws4py.protocol.http11 import HeadReader, build_head
from ws4py.protocol.limits import Limits
from ws4py.protocol.prepared import PreparedMessage
from ws4py.protocol.state import CLOSED, OPEN

ENDS = ("server", "client")
ends = st.sampled_from(ENDS)
opcodes = st.sampled_from([TEXT, BINARY])
# Some repeat themselves, so that compressing is worth it.
texts = (
    st.text(max_size=20).flatmap(lambda text: st.sampled_from([text, text * 30])).map(str.encode)
)
codes = st.sampled_from([1000, 1001, 1005, 1011, 3000, 4999])
extensions = st.sampled_from(
    [
        None,
        PerMessageDeflate(threshold=0),
        PerMessageDeflate(
            threshold=0, server_no_context_takeover=False, client_no_context_takeover=False
        ),
        PerMessageDeflate(server_max_window_bits=8, client_max_window_bits=9, threshold=0),
    ]
)


class Side:
    """One end of a session, as a shell around the core keeps it."""

    def __init__(self, role) -> None:
        self.role = role
        self.head = HeadReader()
        #: Exists from the end of the handshake on.
        self.connection = None
        self.inbox = b""
        #: Frames that have left, without the handshake.
        self.sent = b""
        self.told = []
        self.ended = []

    @property
    def is_open(self):
        return self.connection is not None and self.connection.state is OPEN

    def note_end(self, how):
        """What a shell's ``closed()`` is: called when the state says so, by whatever led there."""
        self.ended.append(how)


class Session(RuleBasedStateMachine):
    """RFC 6455 sections 4, 5.5.1 and 7.1."""

    def __init__(self) -> None:
        super().__init__()
        self.server, self.client = Side(SERVER), Side(CLIENT)
        self.refused = self.cut = self.disturbed = False
        #: Messages in the order in which they left each end.
        self.messages = {"server": [], "client": []}

    def side(self, name):
        return getattr(self, name)

    def other(self, side):
        return self.client if side is self.server else self.server

    # -- Opening -----------------------------------------------------------------------

    @initialize(
        offered=extensions, served=extensions, upgrade=st.sampled_from(["websocket"] * 9 + [""])
    )
    def ask(self, offered, served, upgrade):
        self.served = served
        self.handshake = ClientHandshake(extensions=[offered] if offered else None)
        fields = [("Host", "example.org"), *self.handshake.request_headers()]
        fields = [(name, upgrade if name == "Upgrade" else value) for name, value in fields]
        self.server.inbox = build_head("GET / HTTP/1.1", fields)

    def open(self, side, data):
        """Read on in the head; whatever is behind it is frames."""
        answer = self.accept if side is self.server else self.check
        try:
            if not side.head.feed(data):
                return
            extension = answer(side.head)
        except HandshakeError:
            # Whoever refuses ends the TCP connection; no byte behind it is a frame.
            self.refused = True
            return
        side.connection = Connection(side.role, Limits(max_message_size=5000), extension)
        self.receive(side, side.head.rest)

    def accept(self, head):
        request = Request("GET", (1, 1), head.headers)
        accepted = accept_request(request, None, [self.served] if self.served else None)
        self.client.inbox += build_head("HTTP/1.1 101 Switching Protocols", accepted.headers)
        return accepted.extension

    def check(self, head):
        return self.handshake.check_response(head.status(), head.headers).extension

    # -- Talking -----------------------------------------------------------------------

    def send(self, side, data):
        side.sent += data
        if not (self.cut or self.refused):
            self.other(side).inbox += data

    def try_to_send(self, name, make):
        side = self.side(name)
        if side.connection is None:
            return False
        was_open = side.is_open
        try:
            data = make(side.connection)
        except ConnectionClosed:
            assert not was_open
            return False
        assert was_open
        self.send(side, data)
        return True

    @rule(name=ends, opcode=opcodes, payload=texts, prepared=st.booleans())
    def say(self, name, opcode, payload, prepared):
        def make(connection):
            if prepared:
                return connection.send_prepared(PreparedMessage(opcode, payload))
            return connection.send_message(opcode, payload)

        if self.try_to_send(name, make):
            self.messages[name].append((opcode, payload))

    @rule(name=ends, opcode=opcodes, payload=texts)
    def say_in_two_parts(self, name, opcode, payload):
        border = len(payload.decode()) // 2
        first = payload.decode()[:border].encode()
        make = Connection.send_fragment
        if self.try_to_send(name, lambda each: make(each, opcode, first, True, False)):
            rest = payload[len(first) :]
            assert self.try_to_send(name, lambda each: make(each, opcode, rest, False, True))
            self.messages[name].append((opcode, payload))

    @rule(name=ends, payload=st.binary(max_size=125))
    def ping(self, name, payload):
        self.try_to_send(name, lambda connection: connection.send_ping(payload))

    @rule(name=ends, code=codes, reason=st.text(max_size=50))
    def close(self, name, code, reason):
        side = self.side(name)
        if side.connection is not None:
            self.send(side, side.connection.send_close(code, reason))

    # -- What the network and the clock do -----------------------------------------------

    def receive(self, side, data):
        connection = side.connection
        for event in connection.receive(data):
            if event[0] <= BINARY and connection.state is OPEN:
                side.told.append(event)
            before = connection.state
            self.send(side, connection.respond(event))
            if before is not CLOSED and connection.state is CLOSED:
                side.note_end("handshake" if event[0] == CLOSE else "violation")

    @rule(name=ends, size=st.integers(1, 400))
    def deliver(self, name, size):
        side = self.side(name)
        data, side.inbox = side.inbox[:size], side.inbox[size:]
        if side.connection is None:
            if data and not self.refused:
                self.open(side, data)
        elif not side.connection.reading_done:
            self.receive(side, data)

    @rule()
    def deliver_everything(self):
        for name in ENDS * 4:
            self.deliver(name, 1 << 20)

    @rule()
    def reset(self):
        """What is on its way is lost; each end notices later, when it reads or writes."""
        self.cut = True
        self.server.inbox = self.client.inbox = b""

    @precondition(lambda self: self.cut)
    @rule(name=ends)
    def notice_the_reset(self, name):
        self.lose(self.side(name), "reset")

    @rule(name=ends)
    def wait_too_long(self, name):
        """The time for the peer's close frame is over, or nothing was heard from it."""
        side = self.side(name)
        if side.connection is not None and side.connection.state is not CLOSED:
            self.cut = True
            self.lose(side, "timeout")

    def lose(self, side, how):
        if side.connection is None:
            return
        before = side.connection.state
        side.connection.lose()
        assert side.connection.state is CLOSED
        assert side.connection.reading_done
        if before is not CLOSED:
            side.note_end(how)

    @precondition(lambda self: not self.disturbed)
    @rule(name=ends, junk=st.binary(min_size=1, max_size=4))
    def disturb(self, name, junk):
        self.disturbed = True
        self.side(name).inbox += junk

    # -- What holds --------------------------------------------------------------------

    @invariant()
    def closed_exactly_once(self):
        for side in (self.server, self.client):
            state = None if side.connection is None else side.connection.state
            assert len(side.ended) == (state is CLOSED), side.ended

    @invariant()
    def nothing_behind_our_close_frame(self):
        for side in (self.server, self.client):
            sent = [each.opcode for each in read_frames(side.sent)]
            assert CLOSE not in sent[:-1]

    @invariant()
    def nothing_before_the_handshake(self):
        for side in (self.server, self.client):
            if side.connection is None:
                assert side.sent == b""

    @invariant()
    def what_arrives_is_a_beginning_of_what_was_sent(self):
        if self.disturbed:
            return
        for name in ENDS:
            told = self.other(self.side(name)).told
            assert told == self.messages[name][: len(told)]

    @invariant()
    def who_keeps_to_the_rules_breaks_none(self):
        if not self.disturbed:
            for side in (self.server, self.client):
                assert side.connection is None or side.connection.violation is None

    @invariant()
    def both_agree_on_the_extension(self):
        server, client = self.server.connection, self.client.connection
        if server is not None and client is not None and not self.disturbed:
            assert (server.extension is None) is (client.extension is None)


EXAMPLES = int(os.environ.get("WS4PY_MACHINE_EXAMPLES", "60"))
Session.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
TestSession = Session.TestCase
