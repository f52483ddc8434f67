"""What every Python program here needs besides its library: the listener, the mode, the port.

It imports nothing but the standard library, for it runs in every peer's environment.
"""

from __future__ import annotations

import socket
import sys

HOST = "127.0.0.1"
# Many connections are opened at once; a full queue would measure the kernel's retries.
BACKLOG = 1024
# Above every message that is sent, so that no limit of a library is what is measured.
MAX_SIZE = 64 << 20
PAGE = b"hello"


def broadcasts() -> bool:
    """Tell whether this server sends each message to all, and not only back."""
    mode = sys.argv[1]
    if mode not in {"echo", "broadcast"}:
        sys.exit(f"{sys.argv[0]}: the mode is echo or broadcast, not {mode!r}")
    return mode == "broadcast"


def option(name: str) -> bool:
    """Tell whether a word stands behind the mode."""
    return name in sys.argv[2:]


def listener() -> socket.socket:
    """Return a listening socket on a free port."""
    return socket.create_server((HOST, 0), backlog=BACKLOG)


def free_port() -> int:
    """Return a port that was free just now, for servers that cannot tell which one they chose."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def announce(server: socket.socket | int) -> None:
    """Print the port: from now on connections are accepted."""
    port = server if isinstance(server, int) else server.getsockname()[1]
    print(port, flush=True)
