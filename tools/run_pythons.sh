#!/bin/sh
# Runs the test suite under every CPython that ws4py supports and that is found here, each in its own
# environment below .venvs/. All are tried, also after a failure; the last line counts them. The tests of
# what only developers use (tools, the demo, the own logic of benchmarks, conformance, fuzz and chaos) have
# been run by `make test`. One of them, $pure, runs without compiled modules, and says so.
#
#   EXCEPT=3.11 tools/run_pythons.sh    leaves 3.11 out (CI has just run the suite with it)
set -eu

cd "$(dirname "$0")/.."
minors="3.10 3.11 3.12 3.13"
pure="3.12"
passed="" failed="" absent=""
others="--ignore=tests/tools --ignore=tests/conformance --ignore=tests/benchmarks --ignore=tests/examples
        --ignore=tests/fuzz --ignore=tests/chaos"
if [ "${CI:-}" = true ]; then
    # They take the longest and differ the least: what belongs to the servers.
    others="$others --ignore=tests/servers --ignore=tests/server"
fi

for minor in $minors; do
    if [ "$minor" = "${EXCEPT:-}" ]; then
        echo "== CPython $minor: left out, as asked"
        continue
    fi
    if ! base=$(tools/find_python.sh "$minor"); then
        echo "== CPython $minor: not found, skipped"
        absent="$absent $minor"
        continue
    fi
    unset WS4PY_PURE_PYTHON
    twin=compiled
    if [ "$minor" = "$pure" ]; then
        export WS4PY_PURE_PYTHON=1
        twin="pure Python"
    fi
    echo "== CPython $minor, $twin: $base"
    if tools/setup_env.sh test ".venvs/$minor" "$base" &&
       ".venvs/$minor/bin/python" -m pytest -q -m "not slow" --numprocesses=auto --dist=loadfile $others </dev/null; then
        passed="$passed $minor"
    else
        failed="$failed $minor"
    fi
done

echo "passed:${passed:- none} | failed:${failed:- none} | not found:${absent:- none}"
[ -z "$failed" ]
