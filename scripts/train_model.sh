#!/usr/bin/env bash
# Train, evaluate, validate and publish a model of the feed in the database (DATABASE_URL, else the embedded PostgreSQL).
# Arguments go to training.train (--help lists them).
source "$(dirname "$0")/setup.sh"

exec python -m training.train "$@"
