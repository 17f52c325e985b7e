#!/usr/bin/env bash
# Serve on http://localhost:8000 (PORT, HOST) with hot reload: database, tables, demo data and a model first, where
# they are missing. Without DATABASE_URL an embedded PostgreSQL runs for as long as this script does.
source "$(dirname "$0")/setup.sh"

if [ -z "${DATABASE_URL:-}${EMBEDDED_POSTGRES_HELD:-}" ] && ! grep -qs '^ *DATABASE_URL *= *[^ ]' .env; then
    export EMBEDDED_POSTGRES_HELD=1
    exec python -m app.infrastructure.database.embedded run -- bash "$PWD/scripts/run_dev.sh" "$@"
fi

bash scripts/prepare.sh

say "serving http://localhost:${PORT:-8000} (documentation: /docs)"
exec python -m uvicorn app.main:app --reload --reload-dir app --host "${HOST:-127.0.0.1}" --port "${PORT:-8000}" "$@"
