"""What the programs have in common: their arguments, the line that tells the port, their end."""

import argparse
import signal
import ssl
import sys


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--certfile")
    parser.add_argument("--keyfile")
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--patched", action="store_true")
    parser.add_argument("--pyopenssl", action="store_true")
    options = parser.parse_args()
    # As a program does that wants to clean up when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return options


def server_context(options):
    if not options.certfile:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certfile, options.keyfile)
    return context


def announce(port):
    print(f"Serving on http://127.0.0.1:{port}", flush=True)
