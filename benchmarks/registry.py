"""The servers that can be measured: one entry each, with what its environment is made of.

A peer is added by an entry here and a program in peers/.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

PROGRAMS = Path(__file__).resolve().parent / "peers"
# In the place of a requirement: this checkout.
THIS = "ws4py of this checkout"
# The yardstick that every figure is set in relation to.
REFERENCE = "c"

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Peer(NamedTuple):
    """One server."""

    name: str
    title: str
    program: str
    packages: tuple[str, ...] = ()
    environment: str = ""  # shared by several of one project; by default the name
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = _NOTHING
    # For building what pip would otherwise take as a wheel.
    pip_options: tuple[str, ...] = ()
    pip_variables: Mapping[str, str] = _NOTHING
    kind: str = "python"  # or node, or c
    ours: bool = False
    page: bool = False  # serves an ordinary page as well

    @property
    def folder(self) -> str:
        """The name of its environment's folder."""
        return self.environment or self.name


_OURS = (THIS, "cherrypy", "gevent")
_WEBSOCKETS = ("websockets", "uvloop")
_UVICORN = ("uvicorn", "httptools", "uvloop", "websockets", "wsproto")
_CHERRYPY = "ws4py_cherrypy.py"


def _ours(name: str, title: str, program: str) -> Peer:
    return Peer(name, title, program, _OURS, environment="ws4py", ours=True)


def _websockets(name: str, title: str, program: str, *arguments: str) -> Peer:
    return Peer(name, title, program, _WEBSOCKETS, environment="websockets", arguments=arguments)


def _uvicorn(name: str, title: str, implementation: str) -> Peer:
    return Peer(
        name,
        title,
        "uvicorn_asgi.py",
        _UVICORN,
        environment="uvicorn",
        arguments=(implementation,),
    )


_PEERS = (
    Peer(REFERENCE, "C epoll echo", "echo.c", kind="c", page=True),
    _ours("ws4py-cherrypy", "ws4py, CherryPy", _CHERRYPY)._replace(page=True),
    _ours("ws4py-cherrypy-pure", "ws4py, CherryPy, pure Python", _CHERRYPY)._replace(
        variables=MappingProxyType({"WS4PY_PURE_PYTHON": "1"}), page=True
    ),
    _ours("ws4py-wsgiref", "ws4py, wsgiref", "ws4py_wsgiref.py"),
    _ours("ws4py-gevent", "ws4py, gevent", "ws4py_gevent.py"),
    Peer("old-ws4py", "old ws4py, CherryPy", _CHERRYPY, ("ws4py==0.6.0", "cherrypy"), page=True),
    _websockets("websockets-sync", "websockets, threads", "websockets_sync.py"),
    _websockets("websockets-asyncio", "websockets, asyncio", "websockets_asyncio.py"),
    _websockets("websockets-uvloop", "websockets, uvloop", "websockets_asyncio.py", "uvloop"),
    Peer(
        "websockets-pure",
        "websockets without its C part, asyncio",
        "websockets_asyncio.py",
        ("websockets",),
        # A wheel that was built before, with the C part, must not be taken.
        pip_options=("--no-binary", "websockets", "--no-cache-dir"),
        pip_variables=MappingProxyType({"BUILD_EXTENSION": "no"}),
    ),
    _uvicorn("uvicorn-wsproto", "wsproto, uvicorn, uvloop", "wsproto"),
    _uvicorn("uvicorn-websockets", "websockets, uvicorn, uvloop", "websockets"),
    Peer("aiohttp", "aiohttp, uvloop", "aiohttp_uvloop.py", ("aiohttp", "uvloop")),
    Peer("tornado", "tornado", "tornado_server.py", ("tornado",)),
    Peer("picows", "picows, uvloop", "picows_uvloop.py", ("picows", "uvloop")),
    Peer("granian", "granian, RSGI, uvloop", "granian_rsgi.py", ("granian", "uvloop")),
    Peer("socketify", "socketify (uWebSockets)", "socketify_server.py", ("socketify",)),
    Peer(
        "gevent-websocket",
        "gevent-websocket",
        "gevent_websocket.py",
        ("gevent-websocket", "gevent"),
    ),
    Peer(
        "simple-websocket",
        "simple-websocket, Werkzeug",
        "simple_websocket_werkzeug.py",
        ("simple-websocket", "werkzeug"),
    ),
    Peer("node-ws", "ws, Node", "node_ws.mjs", ("ws",), kind="node"),
)

PEERS: dict[str, Peer] = {each.name: each for each in _PEERS}
