"""The loop that serves many connections in one thread.

A turn is: flush what the last turn queued, wait, receive, parse, dispatch. It
knows sockets and :class:`~ws4py.websocket.WebSocket`, and no framework.
"""
