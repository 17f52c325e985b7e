#!/usr/bin/env bash
# Lint with the checks of bandit, format, secrets, architecture contracts, then the tests and, beside them, the types.
#
#   scripts/run_tests.sh                  the default tier, within five minutes
#   scripts/run_tests.sh --all            the tests marked slow, chaos, container and browser as well, and more examples
#   scripts/run_tests.sh --collect-only   set up and collect, nothing else
#   scripts/run_tests.sh ARGUMENTS...     everything else goes to pytest (a path, -k, -x, -n 0, ...)
source "$(dirname "$0")/setup.sh"

tier=(-m "not slow and not chaos and not container and not browser")
collect_only=false
scanned=
arguments=()
for argument in "$@"; do
    case "$argument" in
        --all) tier=(--hypothesis-profile thorough); scanned=--all ;;
        -h | --help) sed -n '2,/^source/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 0 ;;
        --collect-only | --co) collect_only=true; arguments+=(--collect-only) ;;
        *) arguments+=("$argument") ;;
    esac
done

# Compile once: if PYTHONDONTWRITEBYTECODE is set, each process of a test would compile the repository again.
unset PYTHONDONTWRITEBYTECODE
# A thread for each process: they share the cores, and threads of small matrices mostly wait for each other.
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
if $collect_only; then
    exec python -m pytest "${tier[@]}" ${arguments[@]+"${arguments[@]}"}
fi

# Types are checked beside all else; what mypy says follows what the tests say.
types=$(mktemp)
mypy > "$types" 2>&1 &
types_pid=$!
trap 'kill "$types_pid" 2> /dev/null || true; rm -f "$types"' EXIT
ruff check .
ruff format --check .
scripts/scan_secrets.sh $scanned
lint-imports
# A test file on one worker: its database and servers are made once.
# A worker that dies fails the run with the test's name, and is not replaced.
# The order is that of tests/conftest.py, not by the number of tests in a file.
# Three workers on two cores: tests wait for servers and time limits for a third of their time.
tier+=(-n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0)
status=0
python -m pytest "${tier[@]}" ${arguments[@]+"${arguments[@]}"} || status=$?
[ "$status" -ne 2 ] || exit 2  # interrupted
wait "$types_pid" || status=1
printf '\nmypy: %s\n' "$(cat "$types")"
exit "$status"
