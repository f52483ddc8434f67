"""The codec's tests run on every build of it."""

import pytest

from tests.support import fuzzing
from ws4py._wire import codec as pure

fuzzing.set_up()


@pytest.fixture(scope="session", params=[pytest.param(pure, id="pure")])
def codec(request):
    """The codec as a module; a compiled build is one line more in ``params``."""
    return request.param
