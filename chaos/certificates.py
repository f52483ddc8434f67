"""Certificates of a throw-away authority, made with openssl once in a run."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

from chaos.failure import CannotRunHereError, ChaosError

_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@functools.cache
def folder() -> Path:
    """Return a folder with ``server.pem`` and ``server.key``, and ``authority.pem``."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise CannotRunHereError("the command openssl is missing")
    made = tempfile.TemporaryDirectory(prefix="ws4py-chaos-tls-")
    atexit.register(made.cleanup)
    place = Path(made.name)
    # One that signs itself is its own authority.
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += [
        "-subj",
        "/CN=localhost",
        "-addext",
        _NAMES,
        "-addext",
        "keyUsage=digitalSignature,keyCertSign",
    ]
    command += ["-keyout", str(place / "server.key"), "-out", str(place / "server.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChaosError(f"openssl: {done.stderr[-300:]}")
    shutil.copy(place / "server.pem", place / "authority.pem")
    return place


def context(place: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the server's certificate."""
    return ssl.create_default_context(cafile=str(place / "authority.pem"))
