#!/bin/sh
# Sees to it that Chromium and its driver are there for the browser tests.
#
# Missing and not installable, they are a failure when WS4PY_REQUIRE_ALL=1 (set in CI); otherwise a
# message, and the browser tests skip themselves, visibly and counted.
set -eu

cd "$(dirname "$0")/.."

present() {
    chromedriver --version >/dev/null 2>&1 || return 1
    for browser in chromium chromium-browser google-chrome; do
        if "$browser" --version >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

if present; then exit 0; fi
if tools/apt_install.sh "the browser tests" chromium chromium-driver && present; then exit 0; fi

if [ "${WS4PY_REQUIRE_ALL:-}" = 1 ]; then
    echo "No working chromium and chromedriver, and WS4PY_REQUIRE_ALL=1: failing." >&2
    exit 1
fi
echo "No working chromium and chromedriver: the browser tests will be skipped." >&2
