"""An echo server that becomes a daemon: arguments are its PID file, its output, its plugin."""

import sys

import cherrypy
from cherrypy.process.plugins import Daemonizer, PIDFile
from serving import serve

from ws4py.server.cherrypyserver import WebSocketPlugin


class Own(WebSocketPlugin):
    """As programs write it: it knows of no priority."""

    def start(self) -> None:
        WebSocketPlugin.start(self)

    def stop(self) -> None:
        WebSocketPlugin.stop(self)


pidfile, output, plugin = sys.argv[1:]
Daemonizer(cherrypy.engine, stdout=output, stderr=output).subscribe()
PIDFile(cherrypy.engine, pidfile).subscribe()
serve({"ours": WebSocketPlugin, "own": Own}[plugin])
