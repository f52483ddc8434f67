"""Where to listen: found out before CherryPy starts, whose own failure is a long traceback."""

import socket
import sys


def usable_port(host, port):
    """Return the port, or a free one for 0; end with advice rather than with a traceback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as trial:
            return trial.getsockname()[1]
    except (OSError, OverflowError) as error:
        sys.exit(f"Cannot listen on {host} port {port}. Choose another with --port.\n{error}")
