"""An application as most tests need it: an echo at ``/ws``."""

import pytest

from tests.support.cherrypy_app import cherrypy_app


@pytest.fixture
def app():
    """A running application."""
    with cherrypy_app() as running:
        yield running


@pytest.fixture(scope="module")
def shared_app():
    """One application for all tests of a file; for those with many cases."""
    with cherrypy_app() as running:
        yield running
