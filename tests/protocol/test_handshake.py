import base64
import os

import pytest

from tests.support.raw import accept_for
from tests.support.toy import Toy, ToyFactory
from ws4py.exc import HandshakeError
from ws4py.protocol.deflate import Deflate
from ws4py.protocol.handshake import ClientHandshake, Request, accept_key, accept_request
from ws4py.protocol.headers import Headers

# The example of RFC 6455 section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def fields(**changes):
    """The fields of a good request; ``changes`` replace, drop (``None``) or repeat (a list)."""
    good = {
        "Host": "good.example",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    good |= {name.replace("_", "-"): value for name, value in changes.items()}
    pairs = []
    for name, value in good.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, each) for each in values if each is not None]
    return pairs


def request(method="GET", version=(1, 1), own="http://good.example", **changes):
    return Request(method, version, Headers(fields(**changes)), own)


def refused(asked, **policy):
    with pytest.raises(HandshakeError) as caught:
        accept_request(asked, **policy)
    assert caught.value.msg
    return caught.value


def named(accepted, name):
    """The values of a response's header field."""
    return [value for key, value in accepted.headers if key == name]


class TestKey:
    """RFC 6455 section 4.2.2, step 5.4."""

    def test_example_of_the_rfc(self):
        assert accept_key(KEY) == ACCEPT

    def test_any_key(self):
        key = base64.b64encode(os.urandom(16)).decode()
        assert accept_key(key) == accept_for(key)


class TestAcceptedRequests:
    """RFC 6455 section 4.2."""

    def test_the_answer(self):
        accepted = accept_request(request())
        assert accepted.headers == [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", ACCEPT),
        ]
        assert (accepted.protocols, accepted.extensions) == ([], [])
        assert accepted.extension is None
        assert accepted.version == 13

    @pytest.mark.parametrize(
        "value", ["websocket", "WebSocket", "WEBSOCKET", "websocket, x", "h2c,\twebsocket"]
    )
    def test_upgrade_is_a_list_of_tokens(self, value):
        assert accept_request(request(Upgrade=value)).headers

    def test_upgrade_may_be_repeated(self):
        assert accept_request(request(Upgrade=["x", "websocket"])).headers

    @pytest.mark.parametrize(
        "value", ["Upgrade", "upgrade", "keep-alive, Upgrade", "close,,UPGRADE"]
    )
    def test_connection_is_a_list_of_tokens(self, value):
        assert accept_request(request(Connection=value)).headers

    def test_a_later_http_1(self):
        assert accept_request(request(version=(1, 2))).headers

    @pytest.mark.parametrize("version", [8, 13])
    def test_versions(self, version):
        assert accept_request(request(Sec_WebSocket_Version=str(version))).version == version

    def test_a_server_may_speak_13_only(self):
        assert accept_request(request(), versions=[13]).version == 13
        assert refused(request(Sec_WebSocket_Version="8"), versions=[13]).status == 426

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "[::1]:9000"])
    def test_hosts(self, host):
        assert accept_request(request(Host=host)).headers


class TestRefusedRequests:
    """RFC 6455 section 4.2.1: each refusal has its status and says what is wrong."""

    @pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "CONNECT", "get", ""])
    def test_method(self, method):
        error = refused(request(method))
        assert (error.status, error.headers) == (405, [("Allow", "GET")])

    @pytest.mark.parametrize("version", [(0, 9), (1, 0)])
    def test_http_version(self, version):
        assert refused(request(version=version)).status == 400

    @pytest.mark.parametrize(
        "body",
        [
            {"Content_Length": "50"},
            {"Content_Length": "0"},
            {"Content_Length": ["50", "40"]},
            {"Transfer_Encoding": "chunked"},
            {"Transfer_Encoding": "chunked", "Content_Length": "50"},
        ],
    )
    def test_a_body(self, body):
        """Where a body ends is a matter on which a proxy and a server can disagree."""
        assert refused(request(**body)).status == 400

    @pytest.mark.parametrize(
        "host", [None, "", "a b", "a, b", "a,b", "a/b", ["a", "a"], "u@a", "é"]
    )
    def test_host(self, host):
        """RFC 7230 section 5.4: 400 to a request without it, with two, or a malformed one."""
        assert refused(request(Host=host)).status == 400

    @pytest.mark.parametrize("value", ["notwebsocket", "websockets", "h2c"])
    def test_upgrade_to_something_else(self, value):
        assert refused(request(Upgrade=value)).status == 400

    @pytest.mark.parametrize("value", [None, ""])
    def test_upgrade(self, value):
        """RFC 7231 section 6.5.15: a browser that only follows a link is told as well."""
        error = refused(request(Upgrade=value))
        assert (error.status, error.headers) == (426, [("Upgrade", "websocket")])

    def test_upgrade_that_is_no_list_of_tokens(self):
        assert refused(request(Upgrade="web socket")).status == 400

    @pytest.mark.parametrize("value", [None, "", "keep-alive", "notupgrade", "close", "Up grade"])
    def test_connection(self, value):
        assert refused(request(Connection=value)).status == 400

    @pytest.mark.parametrize(
        "value", [None, "", "0", "7", "12", "14", "99", "013", "13.0", "13, 8", ["13", "13"], "٣"]
    )
    def test_version(self, value):
        """Section 4.4: the answer says what would do."""
        error = refused(request(Sec_WebSocket_Version=value))
        assert (error.status, error.headers) == (426, [("Sec-WebSocket-Version", "13")])

    @pytest.mark.parametrize(
        "key",
        [
            None,
            "",
            base64.b64encode(bytes(15)).decode(),
            base64.b64encode(bytes(17)).decode(),
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZQ==AAAA",
            "dGhlIHNhbXBsZSBub25j\nZQ==",
            "dGhl-HNhbXBsZSBub25jZ_==",
            "not base64 at all !",
            "é" * 24,
            [KEY, KEY],
        ],
    )
    def test_key(self, key):
        assert refused(request(Sec_WebSocket_Key=key)).status == 400

    @pytest.mark.parametrize("value", ["x; =", 'x; a="', "x y"])
    def test_malformed_extensions(self, value):
        assert refused(request(Sec_WebSocket_Extensions=value)).status == 400


class TestOrigin:
    """RFC 6455 section 10.2."""

    def test_the_servers_own(self):
        assert accept_request(request(Origin="http://good.example")).headers

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.example", "http://good.example.evil", "https://good.example", "null", ""],
    )
    def test_another(self, origin):
        assert refused(request(Origin=origin)).status == 403

    def test_nobody_knows_the_servers_own(self):
        assert refused(request(own=None, Origin="http://good.example")).status == 403

    def test_a_list_and_everything(self):
        asked = request(Origin="http://other.example")
        assert accept_request(asked, origins=["http://other.example"]).headers
        assert accept_request(asked, origins="*").headers

    def test_repeated(self):
        """A second one must not be a way around the first."""
        asked = request(Origin=["http://good.example", "http://evil.example"])
        assert refused(asked).status == 400

    def test_under_its_name_in_version_8(self):
        asked = {"Sec_WebSocket_Version": "8", "Sec_WebSocket_Origin": "http://evil.example"}
        assert refused(request(**asked)).status == 403
        asked["Sec_WebSocket_Origin"] = "http://good.example"
        assert accept_request(request(**asked)).version == 8


class TestProtocols:
    """RFC 6455 section 4.2.2, step 5.5: the server answers "either a single value or null"."""

    @pytest.mark.parametrize(
        ("served", "offered", "chosen"),
        [
            (None, None, []),
            (None, "a, b", []),
            ([], "a", []),
            (["a"], None, []),
            (["a"], "", []),
            (["a"], " , ", []),
            (["a"], "a", ["a"]),
            (["a"], "b, a", ["a"]),
            (["a", "b"], "b, a", ["a"]),
            (["a", "b"], "b", ["b"]),
            (("b", "a"), "a, b", ["b"]),
            (["a"], ["b", "a"], ["a"]),
            (None, "not a token", []),
            ("chat", "c, chat", ["chat"]),
            ("", "a", []),
        ],
    )
    def test_the_first_of_the_servers_that_the_client_offers(self, served, offered, chosen):
        accepted = accept_request(request(Sec_WebSocket_Protocol=offered), protocols=served)
        assert accepted.protocols == chosen
        assert named(accepted, "Sec-WebSocket-Protocol") == chosen

    @pytest.mark.parametrize("offered", ["b", "A", "aa", "b, c", ["b", "c"]])
    def test_none_in_common(self, offered):
        error = refused(request(Sec_WebSocket_Protocol=offered), protocols=["a", "z"])
        assert error.status == 400
        assert "a, z" in error.msg

    def test_an_offer_that_is_no_list_of_tokens(self):
        assert refused(request(Sec_WebSocket_Protocol="a b"), protocols=["a"]).status == 400

    def test_the_servers_list_is_left_alone(self):
        served = ["a", "b"]
        accept_request(request(Sec_WebSocket_Protocol="b"), protocols=served)
        assert served == ["a", "b"]


class TestExtensions:
    """RFC 6455 section 9.1."""

    def test_accepted(self):
        asked = request(Sec_WebSocket_Extensions=["x-unknown", "x-toy; level=1"])
        accepted = accept_request(asked, extensions=[ToyFactory()])
        assert accepted.extensions == ["x-toy; level=1"]
        assert named(accepted, "Sec-WebSocket-Extensions") == ["x-toy; level=1"]
        assert isinstance(accepted.extension, Toy)

    def test_the_one_that_is_known_by_its_name(self):
        asked = request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
        accepted = accept_request(asked, extensions=["x-unknown", "permessage-deflate"])
        answered = named(accepted, "Sec-WebSocket-Extensions")
        assert answered == accepted.extensions
        assert answered[0].startswith("permessage-deflate; server_no_context_takeover; ")
        assert isinstance(accepted.extension, Deflate)

    @pytest.mark.parametrize("available", [None, [], ["x-webkit-deflate-frame"], [ToyFactory()]])
    def test_what_is_not_implemented_is_not_promised(self, available):
        asked = request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
        accepted = accept_request(asked, extensions=available)
        assert accepted.extension is None
        assert accepted.extensions == []
        assert not named(accepted, "Sec-WebSocket-Extensions")


def response(client, **changes):
    """A good response's fields, changed as in :func:`fields`."""
    good = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_for(client.key),
    }
    good |= {name.replace("_", "-"): value for name, value in changes.items()}
    pairs = []
    for name, value in good.items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, each) for each in values if each is not None]
    return Headers(pairs)


class TestClientRequest:
    """RFC 6455 section 4.1."""

    def test_its_fields(self):
        client = ClientHandshake()
        assert client.request_headers() == [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", client.key),
            ("Sec-WebSocket-Version", "13"),
        ]

    def test_offers(self):
        client = ClientHandshake(["b", "a"], ["x-unknown", ToyFactory(), ToyFactory("2")])
        offered = dict(client.request_headers())
        assert offered["Sec-WebSocket-Protocol"] == "b, a"
        assert offered["Sec-WebSocket-Extensions"] == "x-toy; level=1; quick, x-toy; level=2; quick"

    def test_an_extension_by_its_name(self):
        offered = dict(ClientHandshake(None, "permessage-deflate").request_headers())
        assert offered["Sec-WebSocket-Extensions"].startswith("permessage-deflate; ")

    def test_a_single_protocol(self):
        assert dict(ClientHandshake("chat").request_headers())["Sec-WebSocket-Protocol"] == "chat"

    def test_each_key_is_new_and_from_the_systems_generator(self, monkeypatch):
        drawn = []

        def urandom(size, real=os.urandom):
            drawn.append(real(size))
            return drawn[-1]

        monkeypatch.setattr(os, "urandom", urandom)
        keys = [ClientHandshake().key for _ in range(100)]
        assert [base64.b64decode(key) for key in keys] == drawn
        assert len(set(keys)) == 100
        assert {len(each) for each in drawn} == {16}

    @pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\nX: y", "é"])
    def test_a_protocol_that_is_no_token(self, name):
        with pytest.raises(ValueError, match="not a sub-protocol name"):
            ClientHandshake(["good", name])


class TestClientCheck:
    """RFC 6455 section 4.1: what a client has to look at in the server's answer."""

    def check(self, client=None, status=101, **changes):
        client = client or ClientHandshake()
        return client.check_response(status, response(client, **changes))

    def refuse(self, client=None, status=101, **changes):
        with pytest.raises(HandshakeError) as caught:
            self.check(client, status, **changes)
        assert caught.value.msg
        return caught.value

    def test_a_good_answer(self):
        accepted = self.check()
        assert (accepted.protocols, accepted.extensions) == ([], [])
        assert accepted.extension is None

    def test_the_example_of_the_rfc(self):
        client = ClientHandshake()
        client.key = KEY
        assert self.check(client, Sec_WebSocket_Accept=ACCEPT)

    @pytest.mark.parametrize(
        "changes",
        [
            {"Upgrade": "WebSocket"},
            {"Connection": "keep-alive, upgrade"},
            {"Connection": ["keep-alive", "Upgrade"]},
        ],
    )
    def test_spelled_differently(self, changes):
        assert self.check(**changes)

    @pytest.mark.parametrize("status", [100, 200, 301, 401, 403, 426, 500])
    def test_another_status(self, status):
        error = self.refuse(status=status)
        assert error.status == status
        assert str(status) in error.msg

    @pytest.mark.parametrize("value", [None, "", "h2c", "websocket, h2c", "web socket"])
    def test_upgrade(self, value):
        assert self.refuse(Upgrade=value)

    @pytest.mark.parametrize("value", [None, "", "keep-alive", "notupgrade"])
    def test_connection(self, value):
        assert self.refuse(Connection=value)

    @pytest.mark.parametrize("value", [None, "", ACCEPT, ACCEPT.lower(), "é", "\ud800"])
    def test_accept(self, value):
        assert self.refuse(Sec_WebSocket_Accept=value)

    def test_accept_in_another_case(self):
        client = ClientHandshake()
        assert self.refuse(client, Sec_WebSocket_Accept=accept_for(client.key).swapcase())

    def test_accept_repeated(self):
        client = ClientHandshake()
        assert self.refuse(client, Sec_WebSocket_Accept=[accept_for(client.key)] * 2)

    def test_a_protocol_that_was_offered(self):
        assert self.check(ClientHandshake(["a", "b"]), Sec_WebSocket_Protocol="b").protocols == [
            "b"
        ]
        assert self.check(ClientHandshake(["a", "b"])).protocols == []

    @pytest.mark.parametrize("value", ["b", "A", "", "a, b", ["a", "a"]])
    def test_a_protocol_that_was_not(self, value):
        assert self.refuse(ClientHandshake(["a"]), Sec_WebSocket_Protocol=value)
        assert self.refuse(ClientHandshake(), Sec_WebSocket_Protocol=value)

    def test_an_extension_that_was_offered(self):
        client = ClientHandshake(extensions=[ToyFactory()])
        accepted = self.check(client, Sec_WebSocket_Extensions="x-toy; level=1")
        assert accepted.extensions == ["x-toy; level=1"]
        assert isinstance(accepted.extension, Toy)

    @pytest.mark.parametrize(
        "value", ["permessage-deflate", "x-toy; level=2", "x-toy; level=1, x-toy; level=1", "x;;"]
    )
    def test_an_extension_that_was_not(self, value):
        client = ClientHandshake(extensions=[ToyFactory(), "permessage-deflate"])
        assert self.refuse(client, Sec_WebSocket_Extensions=value)
