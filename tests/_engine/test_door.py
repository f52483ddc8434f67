"""Who may come in: the limits, the count of each address, and one line for many refusals."""

import logging

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.sockets import pair
from ws4py._engine import door as module
from ws4py._engine.door import Door, address_in, descriptors_to_give, peer_of


@pytest.fixture(name="door")
def fixture_door():
    return Door()


class TestLimits:
    def test_there_is_room_below_the_limit_only(self, door):
        assert door.full(4, 5, None, "a") is None
        assert door.full(5, 5, None, "a") == "max_connections 5 is reached"
        assert door.full(0, 0, None, "a") == "max_connections 0 is reached"

    def test_who_is_on_the_way_counts(self, door):
        guest = door.enter(None)
        assert door.full(4, 5, None, None) is not None
        door.leave(guest)
        assert door.full(4, 5, None, None) is None

    def test_an_address_has_its_own_limit(self, door):
        door.stay(door.enter("a"), "entry")
        assert door.full(1, 9, 1, "a") == "max_connections_per_address 1 is reached"
        assert door.full(1, 9, 1, "b") is None
        assert door.full(1, 9, 2, "a") is None

    @pytest.mark.parametrize("address", [None, ""])
    def test_who_has_no_address_is_not_counted_by_it(self, door, address):
        door.stay(door.enter(address), "entry")
        assert door.full(1, 9, 0, address) is None

    def test_the_limit_has_the_name_of_its_setting(self):
        assert Door("the size").full(1, 1, None, None) == "the size 1 is reached"


class TestDescriptors:
    def test_some_are_kept_back(self, door, monkeypatch):
        monkeypatch.setattr(module.resource, "getrlimit", lambda _: (100, 1000))
        assert descriptors_to_give() == 36
        assert door.full(35, None, None, None) is None
        assert door.full(36, None, None, None) == "max_connections 36 is reached"

    def test_one_is_given_in_any_case(self, monkeypatch):
        monkeypatch.setattr(module.resource, "getrlimit", lambda _: (10, 10))
        assert descriptors_to_give() == 1

    def test_a_system_without_a_limit(self, door, monkeypatch):
        unlimited = module.resource.RLIM_INFINITY
        monkeypatch.setattr(module.resource, "getrlimit", lambda _: (unlimited, unlimited))
        assert descriptors_to_give() is None
        assert door.full(10**9, None, None, None) is None

    def test_a_system_that_has_no_such_thing(self, monkeypatch):
        monkeypatch.setattr(module, "resource", None)
        assert descriptors_to_give() is None


class TestRefusing:
    def test_the_answer(self, door):
        error = door.refused("why", "a")
        assert (error.msg, error.status) == ("why", 503)
        assert error.headers == [("Retry-After", "10")]

    def test_many_of_a_kind_are_one_line(self, door, caplog):
        for _ in range(50):
            door.refused("why", "192.0.2.1")
            door.refused("another reason", None)
        assert [record.getMessage() for record in caplog.records] == [
            "Turned away 192.0.2.1: why",
            "Turned away a client: another reason",
        ]
        assert {record.levelno for record in caplog.records} == {logging.WARNING}

    def test_the_next_line_says_how_many_there_were(self, door, caplog, monkeypatch):
        for _ in range(3):
            door.refused("why", "a")
        now = module.time.monotonic() + module._LOG_SECONDS
        monkeypatch.setattr(module.time, "monotonic", lambda: now)
        door.refused("why", "a")
        assert caplog.records[-1].getMessage() == "Turned away a, and 2 more before: why"


class TestAddress:
    @pytest.mark.parametrize(
        "environ", [None, {}, {"REMOTE_ADDR": ""}, {"REMOTE_ADDR": None}, object()]
    )
    def test_there_may_be_none(self, environ):
        assert address_in(environ) is None

    def test_there_is_one(self):
        assert address_in({"REMOTE_ADDR": "::1"}) == "::1"


class Named:
    def __init__(self, sock, environ=None) -> None:
        self.sock, self.environ = sock, environ


class TestPeer:
    def test_the_requests_address_goes_first(self):
        assert peer_of(Named(None, {"REMOTE_ADDR": "192.0.2.1"})) == "192.0.2.1"

    def test_the_sockets_otherwise(self):
        with pair("tcp") as (sock, _):
            assert peer_of(Named(sock)) == "127.0.0.1"
            assert peer_of(Named(sock, {"REMOTE_ADDR": ""})) == "127.0.0.1"

    def test_a_unix_socket_has_none(self):
        with pair("socketpair") as (sock, _):
            assert peer_of(Named(sock)) is None

    def test_who_is_gone_has_none(self):
        with pair("tcp") as (sock, _):
            sock.close()
            assert peer_of(Named(sock)) is None
        assert peer_of(Named(None)) is None


class Counting(RuleBasedStateMachine):
    """Whatever the order of coming and going, the counts are those of who is here."""

    def __init__(self) -> None:
        super().__init__()
        self.door = Door()
        self.guests = []
        self.entries = {}
        self.gone = []

    @rule(address=st.sampled_from(["a", "b", None]))
    def enter(self, address):
        self.guests.append(self.door.enter(address))

    @precondition(lambda self: self.guests)
    @rule(data=st.data())
    def stay(self, data):
        guest = self.guests.pop(data.draw(st.integers(0, len(self.guests) - 1)))
        entry = object()
        self.door.stay(guest, entry)
        # As a manager does in any case.
        self.door.leave(guest)
        self.entries[entry] = guest.address

    @precondition(lambda self: self.guests)
    @rule()
    def leave(self):
        guest = self.guests.pop()
        self.door.leave(guest)
        self.door.leave(guest)

    @precondition(lambda self: self.entries)
    @rule()
    def left(self):
        entry = next(iter(self.entries))
        del self.entries[entry]
        self.gone.append(entry)
        self.door.left(entry)

    @precondition(lambda self: self.gone)
    @rule()
    def left_again(self):
        self.door.left(self.gone[0])

    @invariant()
    def counts(self):
        here = [guest.address for guest in self.guests] + list(self.entries.values())
        assert self.door._from == {each: here.count(each) for each in here if each}
        assert len(self.door._arriving) == len(self.guests)
        assert len(self.door._addresses) == sum(map(bool, self.entries.values()))


TestCounting = Counting.TestCase
