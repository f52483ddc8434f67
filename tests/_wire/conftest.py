"""The codec's tests run on every build of it."""

import pytest

from tests.support import fuzzing, twins
from ws4py._wire import codec_py, octets_py

fuzzing.set_up()


@pytest.fixture(scope="session", params=twins.builds(codec_py, "ws4py._wire.codec_c"))
def codec(request):
    """The codec as a module."""
    return twins.build(request.param)


@pytest.fixture(scope="session", params=twins.builds(octets_py, "ws4py._wire.octets_c"))
def octets(request):
    """Masking and UTF-8 as a module."""
    return twins.build(request.param)
