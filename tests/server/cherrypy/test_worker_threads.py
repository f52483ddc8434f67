"""CherryPy's worker threads are free once a websocket is open."""

import threading

from tests.support.cherrypy_app import cherrypy_app, get
from tests.support.raw import TEXT, Frame, frame
from tests.support.waiting import wait_until

_SOCKETS = 200
_WORKERS = 10


def test_two_hundred_websockets_on_ten_workers_leave_http_alone():
    with cherrypy_app(thread_pool=_WORKERS, thread_pool_max=_WORKERS) as app:
        app.get()
        threads = threading.active_count()
        clients = [app.connect() for _ in range(_SOCKETS)]
        assert app.get() == (200, b"hello")
        assert threading.active_count() == threads
        for number, client in enumerate(clients):
            client.send(frame(TEXT, b"%d" % number))
        for number, client in enumerate(clients):
            assert client.read_frame() == Frame(TEXT, b"%d" % number)
        assert len(app.manager) == _SOCKETS
        wait_until(lambda: app.server.httpserver.requests.idle == _WORKERS)
        for client in clients:
            client.sock.close()
        wait_until(lambda: app.journal.count("closed") == _SOCKETS)


def test_one_worker_is_enough():
    with cherrypy_app(thread_pool=1, thread_pool_max=1) as app:
        clients = [app.connect() for _ in range(5)]
        for client in clients:
            client.send(frame(TEXT, b"hi"))
            assert client.read_frame() == Frame(TEXT, b"hi")
            assert app.get() == (200, b"hello")
            client.say_goodbye()
            client.sock.close()


def test_opened_runs_on_the_worker_and_everything_else_on_the_manager(app):
    with app.connect() as client:
        client.send(frame(TEXT, b"hi"))
        client.read_frame()
        (made,), (opened,) = app.journal.all("made"), app.journal.all("opened")
        assert made.detail == opened.detail
        assert made.detail.startswith("CP Server Thread")
    assert app.manager.name == "WebSocketManager"


def test_cheroots_time_limit_does_not_end_an_idle_websocket():
    with cherrypy_app(socket_timeout=0.5) as app, app.connect() as client:
        # A connection that cheroot keeps, as a clock: it ends when the limit is over.
        for _ in range(2):
            with app.client() as clock:
                clock.send(get())
                clock.read_response()
                assert clock.at_end()
        client.send(frame(TEXT, b"still here"))
        assert client.read_frame() == Frame(TEXT, b"still here")
        client.say_goodbye()


def test_a_keep_alive_limit_of_zero_does_not_matter():
    with cherrypy_app() as app:
        app.server.httpserver.keep_alive_conn_limit = 0
        with app.connect(behind=frame(TEXT, b"hi")) as client:
            assert client.read_frame() == Frame(TEXT, b"hi")
            client.say_goodbye()


def test_the_servers_statistics_count_an_upgrade_like_any_request(app):
    stats = app.server.httpserver.stats
    stats["Enabled"] = True
    with app.connect(behind=frame(TEXT, b"hi")) as client:
        assert client.read_frame() == Frame(TEXT, b"hi")
        client.say_goodbye()
    assert app.get() == (200, b"hello")
    # A worker adds up when it lets a connection go, the one taken over included.
    wait_until(lambda: sum(each.requests_seen for each in workers(app)) >= 2)
    wait_until(lambda: sum(each.bytes_written for each in workers(app)) > 0)


def workers(app) -> list:
    return app.server.httpserver.requests._threads
