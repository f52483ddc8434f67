"""Both roles of the opening handshake together, and each of them with anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.toy import Toy, ToyFactory
from ws4py.exc import HandshakeError
from ws4py.protocol.handshake import ClientHandshake, Request, accept_request
from ws4py.protocol.headers import Headers
from ws4py.protocol.http11 import HeadReader, build_head

GOOD = [("Host", "good.example"), *ClientHandshake().request_headers()]


class TestAgreement:
    """A client of ours and a server of ours, over the bytes of their heads."""

    @pytest.mark.parametrize("served", [None, ["a", "b"]])
    @pytest.mark.parametrize("offered", [None, ["b", "a"], ["b", "c"]])
    @pytest.mark.parametrize("available", [None, [ToyFactory()], [ToyFactory("2")]])
    @pytest.mark.parametrize("wanted", [None, [ToyFactory()]])
    def test_both_ends_agree(self, served, offered, available, wanted):
        client = ClientHandshake(offered, wanted)
        head = build_head("GET /ws HTTP/1.1", [("Host", "a"), *client.request_headers()])
        at_server = self.read(head)
        asked = Request("GET", (1, 1), at_server.headers)
        accepted = accept_request(asked, served, available)

        answer = self.read(build_head("HTTP/1.1 101 Switching Protocols", accepted.headers))
        agreed = client.check_response(answer.status(), answer.headers)
        assert agreed.protocols == accepted.protocols == self.chosen(served, offered)
        assert agreed.extensions == accepted.extensions
        expected = Toy if wanted and available and available[0].level == "1" else type(None)
        assert type(agreed.extension) is type(accepted.extension) is expected

    def read(self, head):
        reader = HeadReader()
        assert reader.feed(head)
        return reader

    def chosen(self, served, offered):
        return [name for name in served or () if name in (offered or ())][:1]


class TestAnyRequest:
    names = st.sampled_from(
        [
            "Host",
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "Origin",
            "Sec-WebSocket-Origin",
        ]
    )

    @given(names, st.one_of(st.text(), st.text(st.sampled_from('a1;,="\\ /:@[]\t'))))
    def test_one_field_of_anything(self, name, value):
        """It is refused with a 4xx, or accepted with fields that hold no line break."""
        pairs = [*(each for each in GOOD if each[0] != name), (name, value)]
        asked = Request("GET", (1, 1), Headers(pairs), "http://good.example")
        try:
            accepted = accept_request(asked, ["a"], [ToyFactory()])
        except HandshakeError as error:
            assert 400 <= error.status < 500  # noqa: PT017 - either outcome is allowed
        else:
            assert build_head("HTTP/1.1 101 Switching Protocols", accepted.headers).isascii()

    @given(st.integers(), st.lists(st.tuples(names, st.text())))
    def test_any_response(self, status, pairs):
        with pytest.raises(HandshakeError):
            ClientHandshake().check_response(status, Headers(pairs))
