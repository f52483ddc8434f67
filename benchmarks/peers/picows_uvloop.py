"""picows on uvloop."""

from __future__ import annotations

import logging

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from benchmarks.peers.common import BACKLOG, HOST, MAX_SIZE, announce, broadcasts

transports: set[WSTransport] = set()


class Echo(WSListener):
    """Sends back what comes, frame by frame."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


class ToAll(WSListener):
    """Sends to all what comes."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take part."""
        transports.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand the message on."""
        payload = frame.get_payload_as_bytes()
        for each in transports:
            each.send(frame.msg_type, payload, frame.fin)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leave."""
        transports.discard(transport)


def listener_for(_request: WSUpgradeRequest) -> WSListener:
    """Return the listener of one connection."""
    return ToAll() if to_all else Echo()


async def main() -> None:
    """Serve until a signal ends the process."""
    # It warns whenever a large message fills a socket's buffer.
    logging.getLogger("picows").setLevel(logging.ERROR)
    server = await ws_create_server(listener_for, HOST, 0, max_frame_size=MAX_SIZE, backlog=BACKLOG)
    announce(server.sockets[0])
    await server.serve_forever()


to_all = broadcasts()

if __name__ == "__main__":
    uvloop.run(main())
