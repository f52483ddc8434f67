import copy
import inspect
import pickle

import pytest

from ws4py import exc

# Where each name of 0.6 hangs in the tree; ConnectionClosed and WriteTimeout are new.
TREE = {
    "WebSocketException": Exception,
    "ProtocolException": exc.WebSocketException,
    "FrameTooLargeException": exc.ProtocolException,
    "UnsupportedFrameTypeException": exc.ProtocolException,
    "InvalidBytesError": exc.ProtocolException,
    "TextFrameEncodingException": exc.WebSocketException,
    "HandshakeError": exc.WebSocketException,
    "ConnectionClosed": exc.WebSocketException,
    "StreamClosed": exc.WebSocketException,
    "WriteTimeout": exc.WebSocketException,
}

COPIES = pytest.mark.parametrize(
    "duplicate",
    [copy.copy, lambda error: pickle.loads(pickle.dumps(error))],
    ids=["copy", "pickle"],
)


class TestTree:
    @pytest.mark.parametrize(("name", "base"), TREE.items())
    def test_a_name_hangs_where_programs_expect_it(self, name, base):
        assert getattr(exc, name).__bases__[0] is base

    def test_nothing_else_is_in_it(self):
        defined = {name for name, _ in inspect.getmembers(exc, inspect.isclass)}
        assert defined - {"Iterable"} == set(TREE) == set(exc.__all__)

    def test_the_docstring_shows_all_of_it(self):
        assert all(name in exc.__doc__ for name in TREE)

    def test_what_is_also_an_error_of_python(self):
        assert issubclass(exc.TextFrameEncodingException, ValueError)
        assert issubclass(exc.ConnectionClosed, RuntimeError)
        assert issubclass(exc.WriteTimeout, TimeoutError)

    @pytest.mark.parametrize("name", TREE)
    def test_each_can_be_raised_without_arguments(self, name):
        with pytest.raises(exc.WebSocketException):
            raise getattr(exc, name)


class TestProtocolException:
    """RFC 6455 section 7.4.1: each carries the close code that answers it."""

    @pytest.mark.parametrize(
        ("kind", "code"),
        [
            (exc.ProtocolException, 1002),
            (exc.FrameTooLargeException, 1009),
            (exc.UnsupportedFrameTypeException, 1002),
            (exc.InvalidBytesError, 1002),
        ],
    )
    def test_code_and_reason(self, kind, code):
        error = kind("a sentence")
        assert (error.code, error.reason, str(error)) == (code, "a sentence", "a sentence")
        assert kind("a sentence", 1008).code == 1008

    @COPIES
    def test_a_copy_is_the_same(self, duplicate):
        error = duplicate(exc.FrameTooLargeException("why", 1011))
        assert (error.code, error.reason, str(error)) == (1011, "why", "why")


class TestHandshakeError:
    """RFC 6455 section 4.2.2: a refusal is an HTTP response."""

    def test_as_in_0_6(self):
        error = exc.HandshakeError("why")
        assert error.msg == str(error) == "why"

    def test_what_to_answer(self):
        error = exc.HandshakeError("why", 426, iter([("Sec-WebSocket-Version", "13")]))
        assert error.status == 426
        assert error.headers == [("Sec-WebSocket-Version", "13")]

    def test_by_default_the_request_is_bad(self):
        error = exc.HandshakeError("why")
        assert (error.status, error.headers) == (400, [])

    @COPIES
    def test_a_copy_is_the_same(self, duplicate):
        error = duplicate(exc.HandshakeError("why", 405, [("Allow", "GET")]))
        assert (error.msg, error.status, error.headers) == ("why", 405, [("Allow", "GET")])

    def test_it_may_be_a_servers_own_error_too(self):
        """Its constructor must not call the other base's with our arguments."""

        class ServerError(Exception):
            def __init__(self, status, body):
                super().__init__(status, body)

        class BothError(exc.HandshakeError, ServerError):
            def __init__(self, error):
                exc.HandshakeError.__init__(self, error.msg, error.status, error.headers)

        assert str(BothError(exc.HandshakeError("why"))) == "why"
