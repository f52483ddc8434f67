"""granian with one worker, by its own interface RSGI, on uvloop."""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import Any

from granian import Granian
from granian.constants import Interfaces, Loops

from benchmarks.peers.common import BACKLOG, HOST, announce, broadcasts, free_port

START_SECONDS = 30

transports: set[Any] = set()


async def application(_scope: Any, protocol: Any) -> None:
    """Serve one connection: RSGI 1."""
    own = await protocol.accept()
    transports.add(own)
    try:
        # 0 is the end, 1 bytes, 2 text.
        while (message := await own.receive()).kind:
            for each in list(transports) if to_all else (own,):
                if message.kind == 1:
                    await each.send_bytes(message.data)
                else:
                    await each.send_str(message.data)
    finally:
        transports.discard(own)
        protocol.close()


def announce_when_up(port: int) -> None:
    """Announce the port once the worker accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            announce(port)
            return


def main() -> None:
    """Serve until a signal ends the process."""
    port = free_port()
    # The worker is a process of its own and imports this module again, by its name.
    target = "benchmarks.peers.granian_rsgi:application"
    server = Granian(
        target,
        address=HOST,
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        backlog=BACKLOG,
        log_enabled=False,
    )
    threading.Thread(target=announce_when_up, args=(port,), daemon=True).start()
    server.serve()


to_all = "broadcast" in sys.argv

if __name__ == "__main__":
    broadcasts()
    main()
