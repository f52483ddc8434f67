#!/bin/sh
# Sees to it that strace is there for the tests that count system calls.
#
# Missing and not installable, it is a failure when WS4PY_REQUIRE_ALL=1 (set in CI); otherwise a
# message, and these tests skip themselves, visibly and counted.
set -eu

cd "$(dirname "$0")/.."

if command -v strace >/dev/null 2>&1; then exit 0; fi
if tools/apt_install.sh "counting system calls" strace; then exit 0; fi

if [ "${WS4PY_REQUIRE_ALL:-}" = 1 ]; then
    echo "strace is missing, and WS4PY_REQUIRE_ALL=1 makes that a failure." >&2
    exit 1
fi
echo "going on without strace: the tests that count system calls will be skipped."
