"""Certificates of a throw-away authority, as contexts and as files.

Made once in a run. The contexts are for sockets of a test's own, the files for servers
that want paths (cheroot's adapters).
"""

import atexit
import functools
import pathlib
import ssl
import tempfile
import threading

import trustme
from OpenSSL import SSL


class Certificates:
    """A server certificate for ``localhost`` and ``127.0.0.1``, and who trusts it.

    :param folder: where the files are written.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._authority = trustme.CA()
        self._server = self._authority.issue_cert("localhost", "127.0.0.1")
        #: Paths, as text.
        self.certfile = str(folder / "server.pem")
        self.keyfile = str(folder / "server.key")
        self.cafile = str(folder / "authority.pem")
        chain = b"".join(blob.bytes() for blob in self._server.cert_chain_pems)
        pathlib.Path(self.certfile).write_bytes(chain)
        self._server.private_key_pem.write_to_path(self.keyfile)
        self._authority.cert_pem.write_to_path(self.cafile)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certfile, self.keyfile)
        return context

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.cafile)

    def pyopenssl_context(self) -> SSL.Context:
        """A server's context for pyOpenSSL."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(self.certfile)
        context.use_privatekey_file(self.keyfile)
        return context


# Both ends of a connection may ask for them first.
_making = threading.Lock()


def certificates() -> Certificates:
    """The certificates of this run."""
    with _making:
        return _made()


@functools.cache
def _made() -> Certificates:
    folder = tempfile.TemporaryDirectory(prefix="ws4py-tls-")
    atexit.register(folder.cleanup)
    return Certificates(pathlib.Path(folder.name))
