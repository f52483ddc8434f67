"""socketify, which is uWebSockets under Python."""

from __future__ import annotations

from typing import Any

from socketify import App, AppListenOptions, CompressOptions

from benchmarks.peers.common import HOST, MAX_SIZE, announce, broadcasts, free_port

TOPIC = "all"


def main() -> None:
    """Serve until a signal ends the process."""
    application = App()
    to_all = broadcasts()

    def opened(websocket: Any) -> None:
        websocket.subscribe(TOPIC)

    def received(websocket: Any, message: Any, opcode: Any) -> None:
        if to_all:
            application.publish(TOPIC, message, opcode)
        else:
            websocket.send(message, opcode)

    options = {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": MAX_SIZE,
        "max_backpressure": MAX_SIZE,
        "idle_timeout": 0,
        "message": received,
    }
    application.ws("/ws", {**options, "open": opened} if to_all else options)
    application.listen(
        AppListenOptions(port=free_port(), host=HOST), lambda config: announce(config.port)
    )
    application.run()


if __name__ == "__main__":
    main()
