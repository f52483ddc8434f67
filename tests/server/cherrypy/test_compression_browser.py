"""permessage-deflate between CherryPy and a real browser."""

import pytest

from tests.examples.browser import Browser
from tests.support.cherrypy_app import cherrypy_app
from ws4py.protocol.deflate import PerMessageDeflate

#: Echoes: each message is sent when the one before has come back.
_SCRIPT = """
    const [messages, done] = arguments;
    const socket = new WebSocket(`ws://${location.host}/ws`);
    const echoes = [];
    const next = () => {
        if (echoes.length < messages.length) socket.send(messages[echoes.length]);
        else socket.close(1000);
    };
    socket.onopen = next;
    socket.onmessage = (event) => { echoes.push(event.data); next(); };
    socket.onclose = (event) => done([socket.extensions, event.code, echoes]);
"""
_MESSAGES = ["short", "żółw €😀 " * 3000, "", "żółw €😀 " * 3000]
_REMEMBER = PerMessageDeflate(
    server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield started
    finally:
        started.quit()


@pytest.mark.browser
@pytest.mark.parametrize("extensions", [["permessage-deflate"], _REMEMBER], ids=["name", "options"])
def test_a_browser_agrees_and_echoes(chromium, extensions):
    config = {"/ws": {"tools.websocket.extensions": extensions}}
    with cherrypy_app(config=config) as app:
        chromium.driver.get(f"http://{app.host}/")
        agreed, code, echoes = chromium.driver.execute_async_script(_SCRIPT, _MESSAGES)
        assert agreed.startswith("permessage-deflate")
        assert agreed == app.journal.last("opened").extensions[0]
        assert code == 1000
        assert echoes == _MESSAGES
        # So that it keeps no connection to a server that ends.
        chromium.driver.get("about:blank")
