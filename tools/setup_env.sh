#!/bin/sh
# Makes a virtual environment for ws4py, or brings it up to date. Quick when there is nothing to do.
#
#   tools/setup_env.sh runtime|test|dev [DIRECTORY [PYTHON]]
#
#   runtime   ws4py (editable) with CherryPy: enough for the demo
#   test      the same and the dependency group `test`
#   dev       the same and the group `lint`
#
# A stamp in the environment holds everything that the installation depends on: the place of the
# checkout (environments do not survive a move), the interpreter, pyproject.toml, the version, what is
# compiled. When one of these changes it is installed again; when nothing has changed no package index
# is asked.
# PYTHON (argument or variable) chooses the interpreter and replaces an environment made with another.
set -eu

kind=$1
venv=${2:-.venv}
chosen=${3:-${PYTHON:-}}

cd "$(dirname "$0")/.."
python="$venv/bin/python"

identify='import sys; print(sys.version.split()[0], sys.base_prefix)'

compiled_sources() {
    cat setup.py
    find src -name '*_c.pyx' -o -name '*.px[di]' -o -name '*.h' -o -name '*_py.py' | LC_ALL=C sort | xargs cat
}

stamp() {
    echo "$PWD | $("$python" -c "$identify") | $(cksum <pyproject.toml)" \
         "| $(cksum <tools/setup_env.sh) | $(grep -s '^__version__' src/ws4py/__init__.py)" \
         "| $(compiled_sources | cksum) | ${WS4PY_PURE_PYTHON:-}"
}

richer_kinds() {
    case $1 in
        runtime) echo "runtime test dev" ;;
        test) echo "test dev" ;;
        dev) echo "dev" ;;
        *) echo "setup_env.sh: unknown kind '$1'" >&2; exit 2 ;;
    esac
}

usable() {
    [ -x "$python" ] && "$python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

same_interpreter() {
    [ -z "$chosen" ] || [ "$("$chosen" -c "$identify" 2>/dev/null)" = "$("$python" -c "$identify")" ]
}

up_to_date() {
    now=$(stamp)
    for each in $(richer_kinds "$kind"); do
        if [ "$(cat "$venv/.stamp-$each" 2>/dev/null)" = "$now" ]; then return 0; fi
    done
    return 1
}

create() {
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ]; then
        echo "$venv is there and is not a virtual environment: move it away." >&2
        exit 1
    fi
    base=$(PYTHON="$chosen" tools/find_python.sh)
    minor=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian ships the standard library without these two.
        tools/apt_install.sh "making a virtual environment" "python$minor-venv" || exit 1
    fi
    rm -rf "$venv"
    echo "making $venv with CPython $minor"
    "$base" -m venv "$venv"
}

pip_install() {
    if ! "$python" -m pip --disable-pip-version-check install --progress-bar off "$@" \
         >"$venv/setup.log" 2>&1 </dev/null; then
        tail -n 30 "$venv/setup.log" >&2
        echo "pip could not install what ws4py's '$kind' environment needs (log: $venv/setup.log)." >&2
        exit 1
    fi
}

richer_kinds "$kind" >/dev/null
if ! usable || ! same_interpreter; then create; fi
if up_to_date; then exit 0; fi

echo "installing into $venv ($kind)"
# Dependency groups need pip 25.1; a fresh environment has the pip that came with its interpreter.
pip_install --upgrade 'pip>=25.1'
case $kind in
    runtime) pip_install --editable '.[cherrypy]' ;;
    test) pip_install --editable '.[cherrypy]' --group test ;;
    dev) pip_install --editable '.[cherrypy]' --group test --group lint ;;
esac
stamp >"$venv/.stamp-$kind"
