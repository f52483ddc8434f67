"""aiohttp on uvloop."""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import WSMsgType, web

from benchmarks.peers.common import BACKLOG, announce, broadcasts, listener

connections: set[web.WebSocketResponse] = set()


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """Serve one connection."""
    own = web.WebSocketResponse(compress=False, max_msg_size=0)
    await own.prepare(request)
    connections.add(own)
    try:
        async for message in own:
            for each in list(connections) if to_all else (own,):
                if message.type is WSMsgType.TEXT:
                    await each.send_str(message.data)
                else:
                    await each.send_bytes(message.data)
    finally:
        connections.discard(own)
    return own


async def main() -> None:
    """Serve until a signal ends the process."""
    application = web.Application()
    application.router.add_get("/ws", websocket)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    sock = listener()
    await web.SockSite(runner, sock, backlog=BACKLOG).start()
    announce(sock)
    await asyncio.Event().wait()


to_all = broadcasts()

if __name__ == "__main__":
    uvloop.run(main())
