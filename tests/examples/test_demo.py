"""The demo's page in a real browser: what a visitor sees and does."""

import re
import signal

import pytest

from tests.examples.polling import wait_until

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
MARKUP = "<img src=x onerror=document.title='broken'> & <b>bold</b>"


@pytest.fixture
def two(demo, browser):
    """Ada's window and Grace's."""
    ada = browser.open(demo.url)
    ada.wait_joined()
    ada.rename("Ada")
    grace = browser.open(demo.url)
    grace.wait_joined()
    grace.rename("Grace")
    ada.wait_people("Ada", "Grace")
    return ada, grace


def colours(window, scheme):
    window.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    style = window.js(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    return [luminance(colour) for colour in style]


def luminance(colour):
    """Return the relative luminance of WCAG 2 for `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def assert_fits(window):
    """Neither the page nor a part of it can be scrolled sideways."""
    wide = window.js(
        "return [...document.querySelectorAll('html, .card, .people, #log-scroll, .latest')]"
        ".filter(part => part.scrollWidth > part.clientWidth).map(part => part.outerHTML)"
    )
    assert wide == []
    assert window.js("return document.documentElement.scrollWidth <= innerWidth")


def assert_only_failed_connections(browser):
    """The browser itself reports these during an outage; a page cannot prevent it."""
    assert [entry for entry in browser.errors() if "WebSocket connection to" not in entry] == []


def bar_height(window):
    return window.js("return document.querySelector('.bar').offsetHeight")


def test_first_look_explains_itself(demo, browser):
    window = browser.open(demo.url)
    window.wait_joined()
    assert window.text("state-text") == "Connected"
    assert window.notes()[0].startswith("You joined as ")
    assert window.element("log-empty").is_displayed()
    assert window.text("broadcast-text") == "Nothing broadcast yet."
    assert window.text("people-count") == "1 here"


def test_two_windows_chat_both_ways(two):
    ada, grace = two
    ada.say("  Hello Grace  ")
    grace.wait_line("Ada", "Hello Grace")
    grace.say("Schöner Gruß, Ada ✓")
    ada.wait_line("Grace", "Schöner Gruß, Ada ✓")
    assert ada.lines() == [["Ada", "Hello Grace"], ["Grace", "Schöner Gruß, Ada ✓"]]
    assert ada.is_hidden("log-empty")
    assert ada.value("say") == ""


def test_markup_stays_text(two):
    ada, grace = two
    ada.say(MARKUP)
    grace.wait_line("Ada", MARKUP)
    grace.rename("<i>Grace</i>")
    ada.wait_people("<i>Grace</i>", "Ada")
    for window in two:
        assert window.js("return document.querySelectorAll('#log img, #log b, main i').length") == 0
        assert window.js("return document.title") == "ws4py live demo"


def test_blank_messages_are_not_sent(two):
    ada, grace = two
    ada.say("   ")
    ada.say("after the blank")
    grace.wait_line("Ada", "after the blank")
    assert grace.lines() == [["Ada", "after the blank"]]


def test_presence_follows_windows(two, browser, demo):
    ada, grace = two
    third = browser.open(demo.url)
    third.wait_joined()
    third.rename("Mary")
    ada.wait_people("Ada", "Grace", "Mary")
    third.close()
    ada.wait_people("Ada", "Grace")
    assert "Mary left" in ada.notes()
    assert "Mary left" in grace.notes()


def test_newcomer_sees_what_was_said(two, browser, demo):
    ada, grace = two
    ada.say("before you came")
    grace.wait_line("Ada", "before you came")
    late = browser.open(demo.url)
    late.wait_line("Ada", "before you came")


def test_page_handler_reaches_every_window(two):
    ada = two[0]
    ada.type("broadcast", " Lunch is ready ")
    for window in two:
        wait_until(
            lambda window=window: window.text("broadcast-text") == "Lunch is ready",
            "the broadcast has arrived",
        )
    wait_until(lambda: ada.text("broadcast-hint") == "Sent to 2 windows.", "the sender is told")


def test_ticker_ticks(two):
    for window in two:
        first = wait_until(
            lambda window=window: re.fullmatch(r"\d\d:\d\d:\d\d", window.text("tick-clock")),
            "the first tick",
        )
        wait_until(
            lambda window=window, first=first: window.text("tick-clock") != first[0],
            "the next tick",
        )
        assert window.text("tick-connections") == "2"


def test_latency_graph_gets_points(two):
    for window in two:
        wait_until(lambda window=window: window.points() >= 3, "three echoes are drawn")
        assert window.text("latency-median").endswith(" ms")
        assert window.is_hidden("graph-empty")


def test_page_recovers_when_the_server_comes_back(two, browser, demo):
    ada, grace = two
    ada.say("before")
    grace.wait_line("Ada", "before")
    assert browser.errors() == []

    assert demo.end() == 0
    wait_until(lambda: ada.state == "waiting", "the page shows the outage")
    wait_until(
        lambda: re.fullmatch(r"Reconnecting in \d+ s", ada.text("state-text")),
        "the page counts down",
    )
    ada.say("said during the outage")
    assert ada.text("say-hint") == "Not connected. Your message stays here."
    assert ada.value("say") == "said during the outage"
    assert ada.text("people-count") == "Not connected"

    demo.start()
    for window in two:
        window.wait_joined()
        window.wait_people("Ada", "Grace")
    ada.say("after")
    grace.wait_line("Ada", "after")
    grace.say("indeed")
    ada.wait_line("Grace", "indeed")
    points = ada.points()
    wait_until(lambda: ada.points() > points, "the graph goes on")

    assert_only_failed_connections(browser)


def test_now_button_tries_at_once(demo, browser):
    window = browser.open(demo.url)
    window.wait_joined()
    assert window.is_hidden("retry")
    # The longest waits, so that coming back soon can only be the button's doing.
    window.js("Math.random = () => 1e6")
    assert demo.end() == 0
    wait_until(lambda: not window.is_hidden("retry"), "the button is there")
    demo.start()
    assert window.state == "waiting"
    window.click("retry")
    window.wait_joined()
    assert window.is_hidden("retry")
    assert window.js("return document.activeElement.id") == "say"
    assert_only_failed_connections(browser)


@pytest.mark.slow
def test_silent_server_is_noticed(demo, browser):
    window = browser.open(demo.url)
    window.wait_joined()
    window.rename("Ada")
    window.say("good night")
    window.wait_line("Ada", "good night")
    # Stopped, not ended: its connections stay open, and nothing comes from them any more.
    demo.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: window.state == "waiting", "the page gives the connection up")
    finally:
        demo.process.send_signal(signal.SIGCONT)
    window.wait_joined()
    window.wait_people("Ada")
    window.say("awake again")
    window.wait_line("Ada", "awake again")
    # The server told the history again, and the page knew it already.
    assert window.lines() == [["Ada", "good night"], ["Ada", "awake again"]]
    assert_only_failed_connections(browser)


def test_phone_has_no_horizontal_scroll(demo, browser):
    window = browser.open(demo.url)
    window.emulate("setDeviceMetricsOverride", **PHONE)
    window.wait_joined()
    window.rename("W" * 24)
    window.say("w" * 500)
    window.wait_line("W" * 24, "w" * 500)
    window.type("broadcast", "m" * 500)
    wait_until(lambda: window.text("broadcast-text") == "m" * 500, "the broadcast has arrived")
    wait_until(lambda: window.points() >= 1, "the graph is drawn")
    assert_fits(window)

    before = [bar_height(window), window.js("return document.documentElement.scrollHeight")]
    assert demo.end() == 0
    wait_until(lambda: not window.is_hidden("retry"), "the page shows the outage")
    assert_fits(window)
    # Nothing jumps when the state changes.
    assert [bar_height(window), window.js("return document.documentElement.scrollHeight")] == before
    assert_only_failed_connections(browser)


def test_light_and_dark_are_both_readable(demo, browser):
    window = browser.open(demo.url)
    light_text, light_page = colours(window, "light")
    dark_text, dark_page = colours(window, "dark")
    assert light_page > light_text
    assert dark_page < dark_text
    for text, page in ((light_text, light_page), (dark_text, dark_page)):
        assert (max(text, page) + 0.05) / (min(text, page) + 0.05) >= 4.5
