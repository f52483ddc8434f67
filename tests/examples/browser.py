"""A real Chromium with a fresh profile, or a clear reason why there is none."""

import os
import shutil

import pytest

from tests.examples.window import Window

# The network flags keep the browser from calling its maker's hosts, which a test must not do.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,860",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def unavailable(reason):
    if os.environ.get("WS4PY_REQUIRE_ALL") == "1":
        pytest.fail(f"WS4PY_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


def executable(names, package):
    found = next((path for path in map(shutil.which, names) if path), None)
    return found or unavailable(f"{names[0]} is not installed (Debian's package {package})")


def start_driver(profile):
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        unavailable("selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = executable(NAMES, "chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With its path given, selenium looks for no driver to download.
    service = Service(executable(("chromedriver",), "chromium-driver"))
    return webdriver.Chrome(options=options, service=service)


class Browser:
    """One Chromium; its windows share nothing but the browser."""

    def __init__(self, profile):
        self.driver = start_driver(profile)
        self.driver.set_script_timeout(30)
        # Stays open, as a browser without a window would end.
        self._blank = self.driver.current_window_handle

    def open(self, url):
        """Open the address in a window of its own."""
        self.driver.switch_to.new_window("window")
        self.driver.get(url)
        return Window(self.driver, self.driver.current_window_handle)

    def errors(self):
        """Return what the consoles of all windows reported as an error since the last call."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def close_windows(self):
        for handle in self.driver.window_handles:
            if handle != self._blank:
                self.driver.switch_to.window(handle)
                self.driver.close()
        self.driver.switch_to.window(self._blank)

    def quit(self):
        self.driver.quit()
