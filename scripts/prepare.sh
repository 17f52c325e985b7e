#!/usr/bin/env bash
# What has to be there before the service can personalise, made where it is missing: tables, a feed, a model.
# Safe to run again and again; run_dev.sh and the train image both do.
set -euo pipefail
cd "$(dirname "$0")/.."

python -m alembic upgrade head
python -m data.seed_database --if-empty

registry=$(python -m training.registry list --json)
if [ "$(printf '%s' "$registry" | python -c 'import json, sys; print(json.load(sys.stdin)["active"])')" = None ]; then
    printf 'prepare: training the first model\n' >&2
    # 1: no model was good enough to publish. The service answers without one until one is.
    python -m training.train || { code=$?; [ "$code" -eq 1 ] || exit "$code"; }
fi
