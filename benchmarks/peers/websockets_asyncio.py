"""websockets on asyncio, with uvloop when told `uvloop`."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, announce, broadcasts, option

connections: set[ServerConnection] = set()


async def echo(websocket: ServerConnection) -> None:
    """Send back what comes."""
    with contextlib.suppress(ConnectionClosed):
        async for message in websocket:
            await websocket.send(message)


async def to_all(websocket: ServerConnection) -> None:
    """Send to all what comes."""
    connections.add(websocket)
    try:
        async for message in websocket:
            broadcast(connections, message)
    except ConnectionClosed:
        pass
    finally:
        connections.discard(websocket)


async def main() -> None:
    """Serve until a signal ends the process."""
    async with serve(
        to_all if broadcasts() else echo,
        HOST,
        0,
        backlog=BACKLOG,
        compression=None,
        max_size=MAX_SIZE,
        ping_interval=None,
    ) as server:
        announce(next(iter(server.sockets)))
        await server.serve_forever()


if __name__ == "__main__":
    if option("uvloop"):
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
