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
    # Refused (1 from main; a crash is another thing): no model was good enough to publish, or there is nothing to
    # learn from yet. The service answers without one until there is.
    python -c 'import sys; from training.train import main; code = main(["--learn-from", "800"]); sys.exit(10 if code == 1 else code)' \
        || { code=$?; [ "$code" -eq 10 ] || exit "$code"; }
fi
