"""Werkzeug's development server, threaded as Flask runs it."""

from werkzeug.serving import make_server

from common import announce, arguments, server_context
from echo_app import application

if __name__ == "__main__":
    options = arguments()
    context = server_context(options)
    server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=context)
    announce(server.port)
    server.serve_forever()
