"""The demo and the windows of each test, and both without complaint at its end."""

import pytest

from tests.examples.browser import Browser
from tests.examples.demo_process import DemoProcess


@pytest.fixture
def demo(tmp_path):
    process = DemoProcess(tmp_path / "demo.log")
    try:
        process.start()
        yield process
    finally:
        process.end_for_sure()
    assert "Traceback" not in process.output(), process.output()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    started = Browser(tmp_path_factory.mktemp("profile"))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture
def browser(chromium):
    try:
        yield chromium
        errors = chromium.errors()
    finally:
        chromium.close_windows()
    assert errors == []
