import inspect

import pytest

from tests.support.toy import Toy
from ws4py._wire.extension import MessageExtension
from ws4py.protocol.deflate import PerMessageDeflate


class TestShape:
    """RFC 6455 section 9: what the codec asks of an extension, and nothing more."""

    @pytest.mark.parametrize("name", ["decode", "encode"])
    def test_an_implementation_takes_the_same_arguments(self, name):
        asked = inspect.signature(getattr(MessageExtension, name)).parameters
        assert list(inspect.signature(getattr(Toy, name)).parameters) == list(asked)

    def test_is_a_shape_and_no_base_class(self):
        with pytest.raises(TypeError, match="Protocol"):
            MessageExtension()
        assert set(inspect.get_annotations(MessageExtension)) == {"rsv"}

    @pytest.mark.parametrize("name", ["rsv", "sharing_key", "decode", "encode"])
    def test_an_implementation_has_it_all(self, name):
        assert hasattr(Toy(), name)
        assert hasattr(PerMessageDeflate().accept([])[1], name)
