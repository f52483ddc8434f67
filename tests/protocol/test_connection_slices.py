"""A connection that is given much at once, and deals with a little of it at a time."""

from tests.support.raw import BINARY, CONTINUATION, TEXT, frame
from ws4py.protocol.connection import Connection, Role

SERVER = Role.SERVER


class TestSlices:
    def test_frames_that_complete_nothing_are_a_few_at_a_time_as_well(self):
        connection = Connection(SERVER)
        connection.receive_few(2)
        begin, more = frame(TEXT, b"begun", fin=False), frame(CONTINUATION, b"", fin=False)
        assert connection.receive(begin + more * 3) == []
        assert connection.take_unread() == more * 2
        assert connection.receive(more * 2) == []
        assert connection.take_unread() == b""
        assert connection.receive(frame(CONTINUATION, b"!")) == [(TEXT, b"begun!")]

    def test_a_frame_that_is_begun_is_taken_with_all_that_is_there(self):
        connection = Connection(SERVER)
        connection.receive_few(1)
        data = frame(BINARY, b"x" * 1000)
        assert connection.receive(data[:500]) == []
        assert connection.take_unread() == b""
        assert connection.receive(data[500:] + data[:9]) == [(BINARY, b"x" * 1000)]
        assert connection.take_unread() == b""
