#!/bin/sh
# Installs Debian packages when that is possible without asking anybody; otherwise says what to do.
#
#   tools/apt_install.sh REASON PACKAGE...
#
# Exits 1 when the packages could not be installed, so that the caller decides whether that is a
# failure (CI) or something to go on without.
set -eu

reason=$1
shift

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing for $reason: $* (Debian's names). There is no apt-get here: install them yourself." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Missing for $reason, and only root can install it: sudo apt-get install $*" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "installing $* ($reason)"
# The lock is waited for: a machine that has just started may be running its own updates.
if ! { apt-get -o DPkg::Lock::Timeout=300 update &&
       apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"; } \
       >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    echo "apt-get could not install $* ($reason)." >&2
    exit 1
fi
