import pytest

from tests.support.toy import NAME, Toy, ToyFactory
from ws4py.exc import HandshakeError
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.extensions import accept_offer, check_answer, factories
from ws4py.protocol.headers import parse_extensions


class Other(ToyFactory):
    name = "x-other"


class TestConfigured:
    def test_names_without_an_implementation_are_left_out(self):
        """Programs of 0.6 listed names, behind which there never was anything."""
        toy = ToyFactory()
        assert factories(["x-webkit-deflate-frame", toy, object(), Toy()]) == [toy]

    @pytest.mark.parametrize("nothing", [None, [], (), "", NAME, "Permessage-Deflate", {}])
    def test_none(self, nothing):
        assert factories(nothing) == []

    @pytest.mark.parametrize("listed", [["permessage-deflate"], "permessage-deflate"])
    def test_one_name_has_an_implementation(self, listed):
        assert factories(listed) == [PerMessageDeflate()]

    def test_one_that_is_not_in_a_list(self):
        toy = ToyFactory()
        assert factories(toy) == [toy]

    def test_a_factory_is_told_by_its_shape(self):
        toy = ToyFactory()
        assert factories(toy) == factories([toy, object(), 3]) == [toy]
        assert factories("x-unknown") == []


class TestServer:
    """RFC 6455 section 9.1: which offer is accepted."""

    def accept(self, value, *available):
        return accept_offer(parse_extensions(value), list(available))

    def test_an_offer_that_fits(self):
        agreed = self.accept("x-toy; level=1; quick", ToyFactory())
        assert agreed.header == "x-toy; level=1"
        assert isinstance(agreed.extension, Toy)

    @pytest.mark.parametrize(
        "value", ["", "x-unknown", "x-toy", "x-toy; level=2", "X-Toy; level=1", "constructor"]
    )
    def test_what_does_not_fit_is_declined(self, value):
        agreed = self.accept(value, ToyFactory())
        assert (agreed.header, agreed.extension) == ("", None)

    def test_nothing_is_available(self):
        assert self.accept("x-toy; level=1").extension is None

    def test_a_client_may_offer_the_same_twice(self):
        """The second is its second choice."""
        assert (
            self.accept("x-toy; level=9, x-toy; level=1", ToyFactory()).header == "x-toy; level=1"
        )

    def test_the_clients_order_decides_and_one_is_enough(self):
        both = ToyFactory(), Other()
        assert self.accept("x-other; level=1, x-toy; level=1", *both).header == "x-other; level=1"
        assert self.accept("x-toy; level=1, x-other; level=1", *both).header == "x-toy; level=1"

    def test_of_two_under_one_name_the_first_counts(self):
        two = ToyFactory("2"), ToyFactory("1")
        assert self.accept("x-toy; level=1, x-toy; level=2", *two).header == "x-toy; level=2"

    def test_five_hundred_offers(self):
        value = ", ".join(["x-toy; level=2"] * 500)
        assert self.accept(value, ToyFactory()).extension is None


class TestClient:
    """RFC 6455 sections 4.1 and 9.1: what a server may answer."""

    def check(self, value, *offered):
        return check_answer(parse_extensions(value), list(offered))

    def test_no_answer(self):
        agreed = self.check("", ToyFactory())
        assert (agreed.header, agreed.extension) == ("", None)

    def test_what_was_offered(self):
        agreed = self.check("x-toy; level=1", Other(), ToyFactory())
        assert agreed.header == "x-toy; level=1"
        assert isinstance(agreed.extension, Toy)

    def test_what_was_not_offered(self):
        with pytest.raises(HandshakeError, match="not offered: 'x-toy'"):
            self.check("x-toy; level=1", Other())

    def test_parameters_that_do_not_fit(self):
        with pytest.raises(HandshakeError, match="level"):
            self.check("x-toy; level=2", ToyFactory())

    def test_the_answer_has_to_fit_one_of_several_offers(self):
        offered = ToyFactory("2"), Other(), ToyFactory("1")
        for level in "12":
            assert self.check(f"x-toy; level={level}", *offered).header == f"x-toy; level={level}"
        with pytest.raises(HandshakeError, match="level', '3'"):
            self.check("x-toy; level=3", *offered)

    def test_more_than_one(self):
        with pytest.raises(HandshakeError, match="more than one"):
            self.check("x-toy; level=1, x-other; level=1", ToyFactory(), Other())
