#!/usr/bin/env bash
# Train, evaluate, validate and publish a model of the feed in the database (DATABASE_URL, else the embedded PostgreSQL).
# Arguments go to training.train (--help lists them).
source "$(dirname "$0")/setup.sh"

case " $* " in *" --help "* | *" -h "*) exec python -m training.train --help ;; esac
python -m training.train "$@"
exec python -m training.validate_model
