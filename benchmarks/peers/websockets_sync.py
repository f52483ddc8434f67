"""websockets with threads."""

from __future__ import annotations

import contextlib

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks.peers.common import MAX_SIZE, announce, broadcasts, listener

connections: set[ServerConnection] = set()


def echo(websocket: ServerConnection) -> None:
    """Send back what comes."""
    for message in websocket:
        websocket.send(message)


def to_all(websocket: ServerConnection) -> None:
    """Send to all what comes."""
    connections.add(websocket)
    try:
        for message in websocket:
            for each in list(connections):
                each.send(message)
    finally:
        connections.discard(websocket)


def until_closed(websocket: ServerConnection) -> None:
    """Run one of the above; a client that vanishes is no error."""
    with contextlib.suppress(ConnectionClosed):
        handler(websocket)


def main() -> None:
    """Serve until a signal ends the process."""
    sock = listener()
    with serve(
        until_closed, sock=sock, compression=None, max_size=MAX_SIZE, ping_interval=None
    ) as server:
        announce(sock)
        server.serve_forever()


handler = to_all if broadcasts() else echo

if __name__ == "__main__":
    main()
