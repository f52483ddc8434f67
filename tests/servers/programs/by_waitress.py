"""waitress, which gives an application no socket."""

import logging

from waitress.server import create_server

from common import announce, arguments
from echo_app import application

if __name__ == "__main__":
    arguments()
    logging.basicConfig()
    server = create_server(application, host="127.0.0.1", port=0)
    announce(server.effective_port)
    server.run()
