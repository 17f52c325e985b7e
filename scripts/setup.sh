# shellcheck shell=bash
# Sourced by the other scripts: after it, the working folder is the repository's root, .venv holds exactly what
# requirements.lock says, and both it and uv are on the PATH. Does nothing (well under a second) when that is so
# already; safe to run several times at once. Run by itself (`bash scripts/setup.sh`) it only sets up.

set -euo pipefail

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
fail() { say "$*"; exit 2; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The machine's certificates, as pip has them: an index behind a company's proxy answers both or neither.
export UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    fail "Python 3.11 or newer is needed (PYTHON=... names one)"
}

# What .venv was made from: the lock, and this place (a checkout that was moved has a broken .venv).
stamp() { printf '%s %s\n' "$(cksum < requirements.lock)" "$PWD"; }
is_set_up() { [ -x .venv/bin/python ] && [ -f .venv/.synced ] && [ "$(cat .venv/.synced)" = "$(stamp)" ]; }

# Prints the path of uv, installed under .local/uv if the machine has none.
find_uv() {
    local python=$1 own=$PWD/.local/uv/bin/uv
    if uv --version > /dev/null 2>&1; then
        command -v uv
        return
    fi
    if ! "$own" --version > /dev/null 2>&1; then
        say "installing uv"
        rm -rf .local/uv
        local install=(-m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock)
        # Debian's Python may come without venv, but then with pip, which can fill a folder.
        { "$python" -m venv .local/uv > /dev/null 2>&1 && .local/uv/bin/python "${install[@]}" >&2; } \
            || { rm -rf .local/uv && "$python" "${install[@]}" --target .local/uv >&2; } \
            || fail "uv could not be installed with $python: has it venv or pip, and is a package index reachable?"
    fi
    printf '%s\n' "$own"
}

is_environment() { "$1/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix != sys.argv[1])' "$1" 2> /dev/null; }

set_up() {
    local python uv
    python=$(find_python)
    uv=$(find_uv "$python")
    if ! is_environment "$PWD/.venv"; then
        rm -rf .venv
        "$uv" venv --quiet --no-project --python "$python" .venv || fail ".venv could not be made"
    fi
    rm -f .venv/.synced
    say "installing the locked packages"
    # Compile once here: if PYTHONDONTWRITEBYTECODE is set, each command would compile its imports again.
    "$uv" pip sync --quiet --compile-bytecode --require-hashes --python .venv/bin/python requirements.lock \
        || fail "the locked packages could not be installed: is a package index reachable?"
    stamp > .venv/.synced
}

if ! is_set_up; then
    mkdir -p .local
    # One at a time; who waited finds it done. Python takes the lock: not every system has a flock command.
    exec 8> .local/setup.lock
    "$(find_python)" -c 'import fcntl; fcntl.flock(8, fcntl.LOCK_EX)'
    is_set_up || set_up
    exec 8>&-
fi

export VIRTUAL_ENV="$PWD/.venv"
export PATH="$VIRTUAL_ENV/bin:$PATH:$PWD/.local/uv/bin"
