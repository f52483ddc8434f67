"""An echo server; a file given as argument restarts it when it is touched."""

import sys

import cherrypy
from serving import serve

from ws4py.server.cherrypyserver import WebSocketPlugin

settings = {}
if len(sys.argv) > 1:
    cherrypy.engine.autoreload.files.add(sys.argv[1])
    settings = {"engine.autoreload.on": True, "engine.autoreload.frequency": 0.1}
serve(WebSocketPlugin, **settings)
