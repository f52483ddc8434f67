"""tornado."""

from __future__ import annotations

import asyncio
import contextlib

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, announce, broadcasts

connections: set[Handler] = set()


class Handler(WebSocketHandler):
    """Sends back, or to all, what comes."""

    def open(self) -> None:
        """Take part."""
        self.set_nodelay(True)
        connections.add(self)

    def on_message(self, message: str | bytes) -> None:
        """Answer."""
        binary = isinstance(message, bytes)
        for each in list(connections) if to_all else (self,):
            with contextlib.suppress(WebSocketClosedError):
                each.write_message(message, binary)

    def on_close(self) -> None:
        """Leave."""
        connections.discard(self)


async def main() -> None:
    """Serve until a signal ends the process."""
    application = Application(
        [("/ws", Handler)],
        websocket_max_message_size=MAX_SIZE,
        log_function=lambda _handler: None,
    )
    sockets = bind_sockets(0, HOST, backlog=BACKLOG)
    HTTPServer(application).add_sockets(sockets)
    announce(sockets[0])
    await asyncio.Event().wait()


to_all = broadcasts()

if __name__ == "__main__":
    asyncio.run(main())
