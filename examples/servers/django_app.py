"""WebSocket beside Django, under any server that ws4py can take a socket from.

    gunicorn --chdir examples/servers -k gthread django_app:application
    python examples/servers/django_app.py [PORT]       (with cheroot)

In a project the last function is what goes into its ``wsgi.py``.
"""

import signal
import sys

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

from ws4py.server.wsgiutils import WebSocketWSGIApplication
from ws4py.websocket import EchoWebSocket


def index(request):
    return HttpResponse("open a WebSocket to /ws")


urlpatterns = [path("", index)]

settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="an example has none", MIDDLEWARE=[]
)
django.setup()

pages = get_wsgi_application()
websockets = WebSocketWSGIApplication(handler_cls=EchoWebSocket)


def application(environ, start_response):
    serve = websockets if environ["PATH_INFO"] == "/ws" else pages
    return serve(environ, start_response)


if __name__ == "__main__":
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), application)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.safe_start()
