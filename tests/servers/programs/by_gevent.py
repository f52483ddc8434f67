"""gevent's WSGI server, with --patched in a monkey-patched process."""

import sys

if "--patched" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

import signal

import gevent

from common import announce, arguments
from echo_app import application
from ws4py.server.geventserver import WSGIServer

if __name__ == "__main__":
    options = arguments()
    tls = {"certfile": options.certfile, "keyfile": options.keyfile} if options.certfile else {}
    server = WSGIServer(("127.0.0.1", 0), application, **tls)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.start()
    announce(server.server_port)
    server.serve_forever()
