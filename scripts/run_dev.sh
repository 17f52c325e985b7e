#!/usr/bin/env bash
# Serve on http://localhost:8000 (PORT, HOST) with hot reload: database, tables, demo data and a model first, where
# they are missing. Without DATABASE_URL an embedded PostgreSQL runs for as long as this script does.
# Further arguments go to uvicorn.
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    sed -n '2,/^if/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit
fi
source "$(dirname "$0")/setup.sh"

# stars for a secret, nothing for none
given=${EMBEDDED_POSTGRES_HELD:-$(python -m app.infrastructure.config.settings DATABASE_URL)}
if [ -z "$given" ]; then
    export EMBEDDED_POSTGRES_HELD=1
    exec python -m app.infrastructure.database.embedded run -- bash "$PWD/scripts/run_dev.sh" "$@"
fi

address=$(python -m app.infrastructure.config.settings HOST PORT)
read -r host port <<< "$address"
bash scripts/prepare.sh

export DRAIN_SECONDS=${DRAIN_SECONDS:-0} # a reload is a stop
say "serving http://localhost:$port (documentation: /docs)"
exec python -m uvicorn app.main:app --reload --reload-dir app --host "$host" --port "$port" --timeout-keep-alive 75 "$@"
