"""The server's own push: the time and a few live figures for every window, once a second."""

import json
import time

from cherrypy.process.plugins import Monitor


class Ticker(Monitor):
    """Runs on a thread of its own and reaches the windows over the bus, as any thread can."""

    def __init__(self, bus, plugin, received):
        super().__init__(bus, self.tick, frequency=1, name="ticker")
        self.plugin = plugin
        self.received = received
        self.started = self.before = time.monotonic()
        self.seen = 0

    def tick(self):
        now, received = time.monotonic(), self.received()
        rate = (received - self.seen) / (now - self.before)
        self.before, self.seen = now, received
        figures = {
            "type": "tick",
            "clock": time.strftime("%H:%M:%S"),
            "uptime": int(now - self.started),
            "connections": len(self.plugin.manager),
            "rate": round(rate, 1),
        }
        self.bus.publish("websocket-broadcast", json.dumps(figures))
