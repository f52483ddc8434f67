#!/bin/sh
# Prints the path of a CPython interpreter, and nothing else.
#
#   tools/find_python.sh        one that can run ws4py (>= 3.10): $PYTHON when it is set, else python3,
#                               else the newest python3.N found
#   tools/find_python.sh 3.12   one of exactly this minor version, on PATH or under pyenv
#
# Every candidate is really started: pyenv puts commands on PATH for versions that are not switched on,
# and those only print an error.
set -eu

minors="3.13 3.12 3.11 3.10 3.14"
pyenv_versions="${PYENV_ROOT:-$HOME/.pyenv}/versions"

# Written so that any Python, 2.7 included, can read it: the command asked may be that old.
probe='
import platform, sys
wanted = sys.argv[1]
found = "%d.%d" % sys.version_info[:2]
fits = found == wanted if wanted else sys.version_info >= (3, 10)
if not fits or platform.python_implementation() != "CPython":
    sys.exit(1)
print(sys.executable)
'

try() {
    "$1" -c "$probe" "${2:-}" 2>/dev/null
}

of_minor() {
    try "python$1" "$1" && return
    for candidate in "$pyenv_versions/$1".*/bin/python3; do
        [ -x "$candidate" ] && try "$candidate" "$1" && return
    done
    return 1
}

if [ $# -gt 0 ]; then
    of_minor "$1"
    exit
fi

if [ -n "${PYTHON:-}" ]; then
    try "$PYTHON" && exit
    echo "PYTHON=$PYTHON is not a CPython >= 3.10 that starts." >&2
    exit 1
fi

try python3 && exit
for minor in $minors; do
    of_minor "$minor" && exit
done
found=$(python3 --version 2>&1) || found="none"
echo "ws4py needs CPython 3.10 or newer; python3 here: $found; no newer one on PATH or under pyenv." >&2
echo "Install one, or say where it is: make PYTHON=/path/to/python3.12 ..." >&2
exit 1
