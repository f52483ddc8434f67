"""Settings: what may be given, who may give them, and whose are stronger."""

import ast
import math
import re
from pathlib import Path

import pytest

from tests.support.raw import TEXT, frame
from tests.support.serving import Recorder, serving
from tests.support.sockets import pair
from ws4py._settings import Settings, apply, checked, fill_in
from ws4py.manager import WebSocketManager
from ws4py.protocol.limits import Limits
from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.streaming import Stream
from ws4py.websocket import WebSocket

NAMES = [name for name in vars(Settings) if not name.startswith("_")]
SECONDS = ["close_timeout", "write_timeout", "ping_interval", "ping_timeout"]


class Strict(Recorder):
    max_message_size = 100
    write_timeout = 1.0


class LateStrict(Recorder):
    """Sets one for this connection, when there is a stream already."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.max_message_size = 10


class Foreign:
    """A handler that is not ours."""


@pytest.fixture(name="make")
def fixture_make():
    with pair() as (sock, _):
        yield lambda cls: cls(sock)


def limits(websocket):
    return websocket.stream.connection.limits


def test_defaults():
    given = {name: getattr(WebSocket, name) for name in NAMES}
    assert given == {
        "max_message_size": 16 * 1024 * 1024,
        "max_frame_size": None,
        "max_fragments": 131_072,
        "max_queue": 16,
        "max_queue_size": 1024 * 1024,
        "unsent_soft_limit": 64 * 1024,
        "unsent_hard_limit": 1024 * 1024,
        "write_timeout": 10.0,
        "close_timeout": 10.0,
        "ping_interval": 20.0,
        "ping_timeout": 20.0,
    }


class TestChecking:
    @pytest.mark.parametrize("name", NAMES)
    def test_takes_numbers(self, name):
        given = {name: 0}
        assert checked(given, "x") == given
        assert checked(given, "x") is not given
        assert checked({name: 5}, "x") == {name: 5}

    @pytest.mark.parametrize("name", NAMES)
    def test_takes_none_for_no_limit_but_not_for_an_end_that_never_comes(self, name):
        if name == "close_timeout":
            with pytest.raises(TypeError, match="close_timeout has to be a number, not None"):
                checked({name: None}, "x")
        else:
            assert checked({name: None}, "x") == {name: None}

    @pytest.mark.parametrize("name", NAMES)
    def test_takes_fractions_of_seconds_only(self, name):
        if name in SECONDS:
            assert checked({name: 0.5}, "x") == {name: 0.5}
            assert checked({name: math.inf}, "x") == {name: math.inf}
        else:
            with pytest.raises(TypeError, match=f"{name} has to be a number, not 0.5"):
                checked({name: 0.5}, "x")

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("value", ["1", b"1", True, [], 1j])
    def test_takes_nothing_else(self, name, value):
        with pytest.raises(TypeError, match=f"{name} has to be a number"):
            checked({name: value}, "x")

    @pytest.mark.parametrize("name", NAMES)
    def test_takes_nothing_negative(self, name):
        with pytest.raises(ValueError, match=f"{name} must not be negative, which -1 is"):
            checked({name: -1}, "x")

    @pytest.mark.parametrize("name", SECONDS)
    def test_takes_nothing_that_is_no_number(self, name):
        with pytest.raises(ValueError, match=name):
            checked({name: math.nan}, "x")

    @pytest.mark.parametrize("name", ["unknown", "heartbeat_freq", "__doc__", "_lock", ""])
    def test_names_who_was_given_what_there_is_not(self, name):
        with pytest.raises(TypeError, match=rf"tools\.x has no setting '{name}'.*max_message_size"):
            checked({name: 1}, "tools.x")

    def test_is_done_by_all_who_take_them(self):
        with pytest.raises(TypeError, match="WebSocketWSGIApplication has no setting 'max_size'"):
            WebSocketWSGIApplication(max_size=1)
        with (
            pytest.raises(TypeError, match="WebSocketManager has no setting 'max_size'"),
            serving(start=False, max_size=1),
        ):
            pass


class TestApplying:
    def test_is_stronger_than_the_class(self, make):
        websocket = make(Strict)
        apply(websocket, {"max_message_size": 200, "ping_interval": None})
        assert websocket.ping_interval is None
        assert websocket.write_timeout == 1.0
        assert limits(websocket) == Limits(200, None, 131_072)
        assert Strict.max_message_size == 100

    @pytest.mark.parametrize("name", ["max_message_size", "max_frame_size", "max_fragments"])
    @pytest.mark.parametrize("value", [None, 7])
    def test_changes_the_limits_of_what_is_received(self, make, name, value):
        websocket = make(WebSocket)
        apply(websocket, {name: value})
        assert getattr(limits(websocket), name) == value

    def test_leaves_them_alone_otherwise(self, make):
        websocket = make(WebSocket)
        websocket.stream.connection.limits = Limits(1, 2, 3)
        apply(websocket, {"write_timeout": 1})
        assert limits(websocket) == Limits(1, 2, 3)

    @pytest.mark.parametrize("stream", [None, "of its own"])
    def test_on_handlers_that_read_in_their_own_way(self, stream):
        foreign = Foreign()
        foreign.stream = stream
        apply(foreign, {"max_message_size": 5})
        assert foreign.max_message_size == 5
        assert foreign.stream == stream

    def test_on_handlers_without_a_stream(self):
        foreign = Foreign()
        apply(foreign, {"max_message_size": 5})
        assert vars(foreign) == {"max_message_size": 5}

    def test_on_a_stream_of_the_programs_own_class(self, make):
        class Own(Stream):
            pass

        websocket = make(WebSocket)
        websocket.stream = Own()
        apply(websocket, {"max_fragments": 5})
        assert limits(websocket).max_fragments == 5


class TestFillingIn:
    def test_is_weaker_than_class_and_websocket(self, make):
        class Stricter(Strict):
            ping_timeout = None

        websocket = make(Stricter)
        websocket.max_fragments = 9
        given = {
            "max_message_size": 1,
            "max_fragments": 1,
            "write_timeout": 2,
            "ping_timeout": 3,
            "ping_interval": 4,
        }
        fill_in(websocket, given, WebSocket)
        found = {name: getattr(websocket, name) for name in given}
        assert found == {
            "max_message_size": 100,
            "max_fragments": 9,
            "write_timeout": 1.0,
            "ping_timeout": None,
            "ping_interval": 4,
        }
        assert limits(websocket).max_message_size == 100

    def test_is_stronger_than_the_defaults(self, make):
        websocket = make(Recorder)
        fill_in(websocket, {"max_message_size": 5}, WebSocket)
        assert limits(websocket) == Limits(5, None, 131_072)

    def test_changes_nothing_when_all_is_set(self, make):
        websocket = make(Strict)
        before = dict(vars(websocket))
        fill_in(websocket, {"max_message_size": 5}, WebSocket)
        fill_in(websocket, {}, WebSocket)
        assert vars(websocket) == before

    def test_counts_what_a_mixin_has(self, make):
        class Mixin:
            write_timeout = 7

        class Mixed(Mixin, WebSocket):
            pass

        websocket = make(Mixed)
        fill_in(websocket, {"write_timeout": 5}, WebSocket)
        assert websocket.write_timeout == 7

    def test_by_a_manager(self):
        with serving(max_message_size=50, write_timeout=math.inf) as served:
            websocket, _ = served.connect()
            strict, _ = served.connect(Strict)
            applied, _ = served.make()
            apply(applied, {"max_message_size": 70})
            served.manager.add(applied)
            sizes = [limits(each).max_message_size for each in (websocket, strict, applied)]
            assert sizes == [50, 100, 70]
            assert websocket.write_timeout == math.inf

    def test_of_what_the_constructor_sets_behind_the_base_class(self):
        for settings in ({}, {"max_message_size": 20, "write_timeout": 1.0}):
            with serving(**settings) as served:
                websocket, peer = served.connect(LateStrict)
                peer.send(frame(TEXT, b"x" * 10) + frame(TEXT, b"x" * 11))
                refused = peer.read_frame()
                assert refused.close_code == 1009
                assert b"max_message_size 10" in refused.payload
                assert websocket.messages == [b"x" * 10]
                assert peer.at_end()

    def test_leaves_alone_what_a_program_gave_the_stream(self, make):
        websocket = make(Strict)
        websocket.stream.connection.limits = Limits(1, 2, 3)
        websocket.max_fragments = 4
        fill_in(websocket, {}, WebSocket)
        assert limits(websocket) == Limits(1, 2, 4)

    def test_comes_too_late_for_a_message_that_has_begun(self, make):
        websocket = make(WebSocket)
        websocket.stream.connection.receive(frame(TEXT, b"begun", fin=False))
        websocket.max_message_size = 3
        fill_in(websocket, {}, WebSocket)
        assert limits(websocket).max_message_size == WebSocket.max_message_size

    def test_leaves_alone_what_reads_in_its_own_way(self, make):
        websocket = make(WebSocket)
        websocket.stream, websocket.max_fragments = "of its own", 5
        fill_in(websocket, {}, WebSocket)
        assert websocket.stream == "of its own"


class TestTheirDocumentation:
    """docs/limits.md has a table of them."""

    def rows(self):
        text = (Path(__file__).parents[1] / "docs" / "limits.md").read_text()
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.MULTILINE)
        return {name: ast.literal_eval(value) for name, value in rows}

    def test_every_setting_is_there_with_its_default(self):
        rows = self.rows()
        assert rows.pop("memory_budget") == WebSocketManager().memory_budget
        assert rows == {
            name: value for name, value in vars(Settings).items() if not name.startswith("_")
        }
