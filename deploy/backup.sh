#!/usr/bin/env bash
# Backups of the database of libpq's variables (PGHOST, PGUSER, ...) or of DATABASE_URL, in the folder BACKUP_DIR.
#
#   backup.sh once        one backup
#   backup.sh erased      the table erased_user alone
#   backup.sh schedule    one now and every BACKUP_INTERVAL_SECONDS; the table erased_user every ERASED_INTERVAL_SECONDS
#   backup.sh check       exit code 1 if the newest backup is older than 26 hours
#
# A backup is feed-TIME.dump (pg_dump's custom format). erased_user.sql is the newest copy of that table alone, which a
# restore of an older backup needs. Files appear whole; the BACKUPS_KEPT newest dumps stay.
set -euo pipefail
umask 077

: "${BACKUP_DIR:?set it to a folder on another disk than the one of the database}"
interval=${BACKUP_INTERVAL_SECONDS:-86400}
erased_interval=${ERASED_INTERVAL_SECONDS:-900}
kept=${BACKUPS_KEPT:-14}

say() { printf 'backup: %s\n' "$*" >&2; }

# NAME OPTIONS...: the output of pg_dump as a whole file, and none if it fails
dump() {
    local file=$BACKUP_DIR/$1
    pg_dump ${DATABASE_URL:+--dbname="$DATABASE_URL"} --no-owner --no-privileges "${@:2}" --file="$file.part" \
        || { rm -f "$file.part"; say "pg_dump failed; $1 was not written"; return 1; }
    sync -f "$file.part"
    mv "$file.part" "$file"
}

back_up_erased() { dump erased_user.sql --data-only --table='*.erased_user'; }

back_up() {
    local name
    name=feed-$(date -u +%Y%m%dT%H%M%SZ).dump
    dump "$name" --format=custom && back_up_erased || return 1
    say "wrote $name ($(du -h "$BACKUP_DIR/$name" | cut -f1))"
    find "$BACKUP_DIR" -maxdepth 1 -name 'feed-*.dump' | sort -r | tail -n +$((kept + 1)) | xargs -r rm --
}

case "${1:-}" in
    once) back_up ;;
    erased) back_up_erased ;;
    schedule)
        trap 'exit 0' TERM INT
        next=0
        while :; do
            if [ "$(date +%s)" -ge "$next" ]; then
                # A failure is repeated at the next copy of erased_user, and `check` reports it.
                back_up && next=$(($(date +%s) + interval)) || true
            else
                back_up_erased || true
            fi
            sleep "$erased_interval" &
            wait $!
        done
        ;;
    check) find "$BACKUP_DIR" -maxdepth 1 -name 'feed-*.dump' -mmin -1560 | grep -q . ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2 ;;
esac
