"""A server that cannot hand over a socket says so, to the client and in its log."""

from tests.servers.fleet import CANNOT
from tests.servers.process import ServedProcess


def test_waitress_says_who_can(tmp_path):
    with ServedProcess(CANNOT, False, tmp_path) as process:
        with process.client() as client:
            assert client.upgrade().status == 501
            told = client.body.decode()
        for able in ("cheroot", "gunicorn", "Werkzeug", "gevent", "wsgiref"):
            assert able in told
        assert told.strip() in process.text()


def test_waitress_answers_what_is_no_upgrade(tmp_path):
    with ServedProcess(CANNOT, False, tmp_path) as process:
        with process.client() as client:
            assert client.upgrade(upgrade=None).status == 426
        assert process.get() == b"hello"
        assert not process.tracebacks()
