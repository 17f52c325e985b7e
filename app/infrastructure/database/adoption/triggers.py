"""Writes the triggers on a team's tables: each change reaches the services through the outbox, at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.infrastructure.database.adoption.backfill import event_select
from app.infrastructure.database.adoption.expressions import Keys, Kind, value
from app.infrastructure.database.adoption.names import literal, quoted
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.schema import SchemaName

# `changed` are the rows before and after; an update that changes no column of the views is none. The functions have
# the rights of their owner, so that a role that writes the table needs no right on the service's tables.
_FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {inserted}
    ELSIF TG_OP = 'UPDATE' THEN
        {updated}
    ELSIF TG_OP = 'DELETE' THEN
        {deleted}
    ELSE
        {truncated}
    END IF;
    RETURN NULL;
END $body$;
"""
_TRIGGER = """\
DROP TRIGGER IF EXISTS {name} ON {table};
CREATE TRIGGER {name} {time} {event} ON {table} {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
_EVENTS = {
    "insert": ("AFTER", "REFERENCING NEW TABLE AS new_rows"),
    "update": ("AFTER", "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    "delete": ("AFTER", "REFERENCING OLD TABLE AS old_rows"),
    "truncate": ("BEFORE", ""),
}


@dataclass(frozen=True, slots=True)
class TriggerWriter:
    """Writes functions and triggers for all tables of a proposal, except views."""

    proposal: Proposal
    schema: SchemaName
    time_zone: str

    def sql(self) -> str:
        return "\n".join(self._statements())

    def _statements(self) -> Iterator[str]:
        for number, (role, source) in enumerate(self.proposal.sources):
            if source.table.is_view:
                continue
            function = self.schema[f"feed_adopted_{role.removeprefix('feed_')}_{number}"]
            yield _FUNCTION.format(function=function, **self._bodies(role, source))
            for event, (time, rows) in _EVENTS.items():
                name = f"feed_adopted_{event}_{number}"
                yield _TRIGGER.format(
                    name=name,
                    table=source.table.sql,
                    time=time,
                    event=event.upper(),
                    rows=rows,
                    function=function,
                )

    def _bodies(self, role: str, source: Source) -> dict[str, str]:
        """Return the statements of each operation."""
        if role in dict(self.proposal.events):
            add, remove = (
                self._add_events(role, source, "new_rows"),
                self._remove_events(role, source, "old_rows"),
            )
            all_events = self._remove_events(role, source, source.table.sql)
            return {"inserted": add, "updated": remove + add, "deleted": remove, "truncated": all_events}
        changed = "(SELECT * FROM old_rows UNION ALL SELECT * FROM new_rows)"
        if watched := _watched(source):
            of_old, of_new = (
                f"ROW({', '.join(f'{row}.{quoted(one)}' for one in watched)})::text" for row in ("o", "n")
            )
            rows = (
                "SELECT {0}.* FROM {1}_rows {0} WHERE NOT EXISTS (SELECT FROM {3}_rows {2} WHERE {4} = {5})"
            )
            changed = (
                f"({rows.format('o', 'old', 'n', 'new', of_old, of_new)} UNION ALL "
                f"{rows.format('n', 'new', 'o', 'old', of_old, of_new)})"
            )
        keys, numbers = self._new_keys(role), self._new_numbers(role, source)
        return {
            "inserted": keys + self._changes(role, source, "new_rows") + numbers,
            "updated": keys + self._changes(role, source, changed) + numbers,
            "deleted": self._changes(role, source, "old_rows"),
            "truncated": self._changes(role, source, source.table.sql),
        }

    # -- the outbox -------------------------------------------------------------------------------------------------

    def _changes(self, role: str, source: Source, rows: str) -> str:
        """Write the keys of changed rows into the outbox; readers read the current rows of the views."""
        keys = Keys(self.schema, self.proposal)
        entities: dict[str, tuple[str, Kind, str, str | None]] = {
            "feed_users": ("user", "user", "id", None),
            "feed_posts": ("post", "post", "id", None),
            "feed_follows": ("follow", "user", "follower_id", "followee_id"),
            "feed_memberships": ("user", "user", "user_id", None),
        }
        entity, kind, column, other = entities.get(role, ("control", "user", "user_id", None))
        joins = [keys.join(kind, source, column, "k")]
        other_id = "NULL::uuid"
        if other:
            joins.append(keys.join("user", source, other, "other_key"))
            other_id = keys.id("user", source, other, "other_key")
        key = keys.id(kind, source, column, "k")
        seqs = "NULL::bigint[]"
        if entity == "control":
            seqs = f"ARRAY[nextval(pg_get_serial_sequence({literal(self.schema['user_feedback'])}, 'seq'))]"
        statement = (
            f"INSERT INTO {self.schema['feed_change']} (entity, op, key, other, event_seqs) "
            f"SELECT '{entity}', 'upsert', key, other, {seqs} FROM (SELECT DISTINCT {key} AS key, {other_id} AS other "
            f"FROM {rows} t {' '.join(joins)}) AS changed WHERE key IS NOT NULL"
            f"{' AND other IS NOT NULL' if other else ''};"
        )
        return statement + (self._posts_of(rows) if role == "feed_users" else "")

    def _posts_of(self, rows: str) -> str:
        """The posts of changed users: a post is hidden with its author."""
        posts, keys = self.proposal.posts, Keys(self.schema, self.proposal)
        author = value(posts, "author_id")
        if not author or (
            not self.proposal.users.published.columns and not self.proposal.users.get("private")
        ):
            return ""
        return (
            f"\n        INSERT INTO {self.schema['feed_change']} (entity, op, key) "
            f"SELECT DISTINCT 'post', 'upsert', {keys.id('post', posts, 'id', 'k')} FROM {posts.table.sql} t "
            f"{keys.join('post', posts, 'id', 'k')} "
            f"WHERE {author} IN (SELECT {value(self.proposal.users, 'id', 'u')} FROM {rows} u);"
        )

    def _new_keys(self, role: str) -> str:
        """Give ids to new users and posts."""
        kinds: list[tuple[Kind, str]] = []
        if role == "feed_users":
            kinds = [("user", "id")]
        elif role == "feed_posts":
            kinds = [("user", "author_id"), ("post", "id")]
        keys, statements = Keys(self.schema, self.proposal), []
        for kind, column in kinds:
            source = self.proposal.users if role == "feed_users" else self.proposal.posts
            if not keys.has_uuids(kind) and (key := value(source, column)):
                statements.append(
                    f"INSERT INTO {keys.table(kind)} (external_id, id) "
                    f"SELECT external_id, {self.schema}.feed_derived_id('{kind}', external_id) "
                    f"FROM (SELECT DISTINCT {key}::text AS external_id FROM new_rows t WHERE {key}::text <> '') "
                    "AS given ON CONFLICT DO NOTHING;\n        "
                )
        return "".join(statements)

    def _new_numbers(self, role: str, source: Source) -> str:
        """Number new posts; a post without a number is not shown."""
        if role != "feed_posts":
            return ""
        keys = Keys(self.schema, self.proposal)
        key = keys.id("post", source, "id", "k")
        return (
            f"\n        INSERT INTO {self.schema['feed_post_number']} (post_id) SELECT {key} FROM new_rows t "
            f"{keys.join('post', source, 'id', 'k')} WHERE {key} IS NOT NULL ON CONFLICT DO NOTHING;"
        )

    # -- interactions -----------------------------------------------------------------------------------------------

    def _add_events(self, kind: str, source: Source, rows: str) -> str:
        select = event_select(self.schema, self.proposal, kind, source, self.time_zone, rows)
        return (
            f"INSERT INTO {self.schema['user_interaction']} "
            f"(user_id, post_id, interaction_type, occurred_at, created_at, event_id)\n        {select}\n"
            "        ON CONFLICT (event_id) DO NOTHING;"
        )

    def _remove_events(self, kind: str, source: Source, rows: str) -> str:
        select = event_select(self.schema, self.proposal, kind, source, self.time_zone, rows)
        return (
            f"DELETE FROM {self.schema['user_interaction']} WHERE event_id IN "
            f"(SELECT event_id FROM (\n        {select}\n        ) AS removed);\n        "
        )


def _watched(source: Source) -> list[str]:
    """Return the columns that the views use; none if an expression may use any column."""
    given = [one for name, one in source.columns.items() if name != "username"]
    if any(one.startswith("(") for one in given):
        return [column.name for column in source.table.columns]
    return list(dict.fromkeys([*given, *source.published.columns]))
