"""A TLS client that decides itself when which bytes of a record leave."""

import ssl

from tests.support.raw import RawClient


class RecordClient(RawClient):
    """A raw client over TLS in memory."""

    def __init__(self, address, context) -> None:
        super().__init__(address)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while not self._try_handshake():
            self._incoming.write(self.sock.recv(65536))
        self._flush()

    def _try_handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        return True

    def _flush(self) -> None:
        self.sock.sendall(self._outgoing.read())

    def record(self, data: bytes) -> bytes:
        """The bytes of a record, which are the caller's to send, in order."""
        self._tls.write(data)
        return self._outgoing.read()

    def send(self, data: bytes) -> None:
        self.sock.sendall(self.record(data))

    def _more(self) -> None:
        while True:
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                received = self.sock.recv(65536)
                if not received:
                    raise EOFError("the connection ended") from None
                self._incoming.write(received)
            else:
                self.buffer += data
                return
