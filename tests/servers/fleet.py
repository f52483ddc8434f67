"""The servers of the battery: how each is started, and what is true of it and not of others."""

import importlib.metadata
import pathlib
import sys
from typing import NamedTuple

from tests.servers import old_gunicorn
from tests.support.tls import certificates

PROGRAMS = pathlib.Path(__file__).parent / "programs"

#: The fields of a 101 that we write ourselves.
OWN = ("Upgrade", "Connection", "Sec-WebSocket-Accept")


class Kind(NamedTuple):
    """A server in one of its ways to run."""

    name: str
    package: str
    command: tuple[str, ...]
    #: What its 101 has besides the fields that are ours.
    fields: tuple[str, ...] = ()
    #: Serves a client that says nothing before any other.
    serial: bool = False
    #: The same, of a client that connects and does not begin with TLS.
    serial_tls: bool = False
    tls_only: bool = False
    #: A folder with a release of its own.
    path: str = ""
    #: Threads that its own pool may start at some time or other, and keeps.
    pool: int = 0

    def arguments(self, tls):
        files = certificates()
        pair = ("--certfile", files.certfile, "--keyfile", files.keyfile)
        return [sys.executable, "-u", *self.command, *(pair if tls else ())]

    def version(self):
        if self.package == "wsgiref":
            return f"{self.package} of CPython {sys.version_info[0]}.{sys.version_info[1]}"
        paths = [self.path] if self.path else sys.path
        found = next(importlib.metadata.distributions(name=self.package, path=paths), None)
        return f"{self.package} {found.version if found else 'missing'}"


def _program(name, *options):
    return (str(PROGRAMS / name), *options)


def _gunicorn(worker, *options):
    return (
        *("-m", "gunicorn", "--chdir", str(PROGRAMS), "--bind", "127.0.0.1:0"),
        *("--worker-class", worker, *options, "echo_app:application"),
    )


def _gunicorns(path=""):
    version = "23" if path else ""
    yield Kind(f"gunicorn{version} sync", "gunicorn", _gunicorn("sync"), serial=True, path=path)
    gthread = _gunicorn("gthread", "--threads", "4")
    yield Kind(f"gunicorn{version} gthread", "gunicorn", gthread, path=path, pool=4)
    if not path:
        yield Kind("gunicorn gevent", "gunicorn", _gunicorn("gevent"))


FLEET = [
    Kind("CherryPy", "cherrypy", _program("by_cherrypy.py"), ("Server", "Date"), serial_tls=True),
    Kind(
        "CherryPy, pyOpenSSL",
        "cherrypy",
        _program("by_cherrypy.py", "--pyopenssl"),
        ("Server", "Date"),
        tls_only=True,
    ),
    Kind("cheroot", "cheroot", _program("by_cheroot.py"), serial_tls=True),
    Kind("wsgiref", "wsgiref", _program("by_wsgiref.py"), ("Date", "Server"), serial=True),
    Kind(
        "wsgiref, ThreadingMixIn",
        "wsgiref",
        _program("by_wsgiref.py", "--threads"),
        ("Date", "Server"),
    ),
    Kind("gevent", "gevent", _program("by_gevent.py"), ("Date",)),
    Kind("gevent, patched", "gevent", _program("by_gevent.py", "--patched"), ("Date",)),
    *_gunicorns(),
    *_gunicorns(str(old_gunicorn.FOLDER)),
    Kind("Werkzeug", "werkzeug", _program("by_werkzeug.py"), serial_tls=True),
]

#: Has no socket to give.
CANNOT = Kind("waitress", "waitress", _program("by_waitress.py"))

#: Every server with and without TLS.
SERVED = [(kind, tls) for kind in FLEET for tls in (False, True) if tls or not kind.tls_only]


def name_of(served):
    kind, tls = served
    return f"{kind.name}{', TLS' if tls else ''}"
