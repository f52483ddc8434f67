"""Live chat, ticker, broadcast and echo latency on one CherryPy page.

Run it and open the printed address in two windows. It needs cherrypy and ws4py, nothing else. This
file shows how WebSocket joins a CherryPy program and must stay short enough to be read in one go:
the page is in static/, the chat's memory in room.py, the once-a-second push in ticker.py.
"""

import argparse
import json
import secrets
import time
from pathlib import Path

import cherrypy
from cherrypy.lib.static import serve_file

from ports import usable_port
from room import Room
from ticker import Ticker
from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool
from ws4py.websocket import WebSocket

STATIC = Path(__file__).resolve().parent / "static"
NAME_LIMIT = 24
TEXT_LIMIT = 500
ROOM = Room()


def send_to_all(**fields):
    """Push to every window, from any thread: a WebSocket callback, a page handler, a timer."""
    cherrypy.engine.publish("websocket-broadcast", json.dumps(fields))


def read_json(data):
    """Return what the JSON says, or None for data that is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


class ChatWebSocket(WebSocket):
    """One browser window."""

    received = 0

    def received_message(self, message):
        ChatWebSocket.received += 1
        match read_json(message.data):
            case {"type": "probe", "id": int(probe)}:
                self.reply(type="probe", id=probe)
            case {"type": "join", "name": str(name)}:
                self.join(name)
            case {"type": "say", "text": str(text)}:
                self.say(text.strip())
            case _:
                self.reply(type="error", text="The server did not understand that message.")

    def closed(self, code, reason=None):
        # Runs for a window that vanished without a word too, so nobody stays in the list for ever.
        name = ROOM.leave(self)
        if name:
            send_to_all(type="people", names=ROOM.people(), event="left", name=name)

    def reply(self, **fields):
        self.send(json.dumps(fields))

    def join(self, wanted):
        # Invisible characters would let two people look the same.
        visible = "".join(c if c.isprintable() else " " for c in wanted)
        wanted = " ".join(visible.split())[:NAME_LIMIT].strip() or "Guest"
        name, before = ROOM.enter(self, wanted)
        self.reply(type="welcome", name=name, history=[] if before else ROOM.history())
        if name != before:
            event = "renamed" if before else "joined"
            send_to_all(type="people", names=ROOM.people(), event=event, name=name, before=before)

    def say(self, text):
        name = ROOM.name_of(self)
        if not name or not 0 < len(text) <= TEXT_LIMIT:
            self.reply(type="error", text=f"Join first, then say 1 to {TEXT_LIMIT} characters.")
            return
        line = {"type": "say", "id": secrets.token_hex(8), "name": name, "text": text}
        line["at"] = int(time.time() * 1000)
        ROOM.remember(line)
        send_to_all(**line)


def read_body(entity):
    cherrypy.request.json = read_json(entity.fp.read())


class Pages:
    @cherrypy.expose
    def index(self):
        return serve_file(str(STATIC / "index.html"))

    @cherrypy.expose
    def ws(self):
        """Leave the answer to the tool; cherrypy.request.ws_handler is the ChatWebSocket by now."""

    @cherrypy.expose
    @cherrypy.tools.allow(methods=["POST"])
    @cherrypy.tools.json_in(processor=read_body)
    @cherrypy.tools.json_out()
    def broadcast(self):
        """Push to every window from an ordinary page handler."""
        match cherrypy.request.json:
            case {"text": str(text)} if 0 < len(text.strip()) <= TEXT_LIMIT:
                send_to_all(type="broadcast", text=text.strip())
                return {"windows": len(ROOM.people())}
        raise cherrypy.HTTPError(400, f"Expected a text of 1 to {TEXT_LIMIT} characters.")


CONFIG = {
    "/static": {
        "tools.staticdir.on": True,
        "tools.staticdir.dir": str(STATIC),
        "tools.expires.on": True,
    },
    "/ws": {
        "tools.websocket.on": True,
        "tools.websocket.handler_cls": ChatWebSocket,
        "tools.websocket.heartbeat_freq": 10,
    },
}


def serve(host, port):
    cherrypy.config.update(
        {
            "engine.autoreload.on": False,
            "server.socket_host": host,
            "server.socket_port": port,
            "server.max_request_body_size": 64 * 1024,
        }
    )
    plugin = WebSocketPlugin(cherrypy.engine)
    plugin.subscribe()
    cherrypy.tools.websocket = WebSocketTool()
    Ticker(cherrypy.engine, plugin, lambda: ChatWebSocket.received).subscribe()
    cherrypy.tree.mount(Pages(), "/", CONFIG)
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    print(f"Serving http://{f'[{host}]' if ':' in host else host}:{port}/", flush=True)
    cherrypy.engine.block()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The live demo of ws4py under CherryPy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0 takes any free port")
    options = parser.parse_args()
    serve(options.host, usable_port(options.host, options.port))
