"""cheroot without CherryPy."""

from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from common import announce, arguments
from echo_app import application

if __name__ == "__main__":
    options = arguments()
    server = Server(("127.0.0.1", 0), application)
    if options.certfile:
        server.ssl_adapter = BuiltinSSLAdapter(options.certfile, options.keyfile)
    server.prepare()
    announce(server.bind_addr[1])
    try:
        server.serve()
    finally:
        server.stop()
