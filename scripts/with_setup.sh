#!/usr/bin/env bash
# Runs a command of the service in its locked environment, which is made first where it is missing:
#   scripts/with_setup.sh uv run python -m training.train
if [ $# -eq 0 ]; then
    sed -n '2,/^if/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$@"
