#!/usr/bin/env bash
# What has to be there before the service can personalise, made where it is missing: tables, a feed, a model.
# Safe to run again and again; run_dev.sh and the train image both do.
set -euo pipefail
cd "$(dirname "$0")/.."

python -m alembic upgrade head
python -m data.seed_database --if-empty
python -m training.train --if-missing
