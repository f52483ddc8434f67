"""uvicorn on uvloop, with the WebSocket implementation that is named: wsproto or websockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from benchmarks.peers.common import BACKLOG, MAX_SIZE, announce, broadcasts, listener, option

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

senders: set[Send] = set()


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve one connection: ASGI 3."""
    if scope["type"] != "websocket":
        raise ValueError(scope["type"])
    await receive()
    await send({"type": "websocket.accept"})
    senders.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            await answer(event, send)
    finally:
        senders.discard(send)


async def answer(event: dict[str, Any], send: Send) -> None:
    """Send the message back, or to all."""
    text = event.get("text")
    part = {"bytes": event["bytes"]} if text is None else {"text": text}
    message = {"type": "websocket.send", **part}
    for each in list(senders) if to_all else (send,):
        await each(message)


def main() -> None:
    """Serve until a signal ends the process."""
    sock = listener()
    config = uvicorn.Config(
        application,
        loop="uvloop",
        ws="wsproto" if option("wsproto") else "websockets-sansio",
        ws_max_size=MAX_SIZE,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        lifespan="off",
        log_level="critical",
    )
    announce(sock)
    uvicorn.Server(config).run(sockets=[sock])


to_all = broadcasts()

if __name__ == "__main__":
    main()
