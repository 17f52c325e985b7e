#!/usr/bin/env bash
# Tests of the web application and of the client package.
#
#   scripts/run_web_tests.sh             format, types and unit tests
#   scripts/run_web_tests.sh --browser   builds the application and drives it in a real browser as well
#
# Exits 77, with the reason, where there is no Node.js 20.9 or newer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

browser=false
case "${1:-}" in
    "") ;;
    --browser) browser=true ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;;
esac

skip() { printf 'run_web_tests.sh: skipped: %s\n' "$*"; exit 77; }
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 9) ? 0 : 1)' \
    2> /dev/null || skip "Node.js 20.9 or newer is needed, found $(node --version 2> /dev/null || echo none)"
command -v npm > /dev/null || skip "npm is needed"

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
npx prettier --check --log-level=warn package.json tsconfig.base.json packages web
npm run --silent --workspace @feed/client typecheck
npm run --silent --workspace @feed/web typecheck
npm run --silent --workspace @feed/client test
npm run --silent --workspace @feed/web test
if $browser; then
    npm run --silent --workspace @feed/web build
    npm run --silent --workspace @feed/web test:browser
fi
