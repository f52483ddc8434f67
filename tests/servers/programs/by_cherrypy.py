"""CherryPy with its tool and plugin."""

import cherrypy

from common import announce, arguments
from echo_app import CountedEcho, check, status
from ws4py.server.cherrypyserver import WebSocketPlugin, WebSocketTool


class Root:
    @cherrypy.expose
    def index(self):
        return "hello"

    @cherrypy.expose
    def ws(self):
        """The page behind the upgrade."""

    @cherrypy.expose
    def checked(self, **query):
        """The page behind the upgrade that is checked."""

    @cherrypy.expose
    def status(self):
        return status()


if __name__ == "__main__":
    options = arguments()
    settings = {
        "server.socket_port": 0,
        "engine.autoreload.on": False,
        "checker.on": False,
        "log.screen": False,
        "log.error_file": "/dev/stderr",
    }
    if options.certfile:
        settings["server.ssl_module"] = "pyopenssl" if options.pyopenssl else "builtin"
        settings["server.ssl_certificate"] = options.certfile
        settings["server.ssl_private_key"] = options.keyfile
    cherrypy.config.update(settings)
    WebSocketPlugin(cherrypy.engine).subscribe()
    cherrypy.tools.websocket = WebSocketTool()
    echo = {
        "tools.websocket.on": True,
        "tools.websocket.handler_cls": CountedEcho,
        "tools.websocket.protocols": ["echo"],
        "tools.websocket.extensions": ["permessage-deflate"],
    }
    checked = {**echo, "tools.websocket.check": check}
    cherrypy.tree.mount(Root(), "/", {"/ws": echo, "/checked": checked})
    cherrypy.engine.signals.subscribe()
    cherrypy.engine.start()
    announce(cherrypy.server.bound_addr[1])
    cherrypy.engine.block()
