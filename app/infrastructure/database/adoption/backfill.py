"""Copies the likes, comments and other events of a team into the log of interactions, with their own times."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from app.infrastructure.database.adoption import expressions
from app.infrastructure.database.adoption.applying import LARGE_PART, run_script
from app.infrastructure.database.adoption.expressions import Keys
from app.infrastructure.database.adoption.proposal import Proposal, Source
from app.infrastructure.database.schema import SchemaName

# The id of an event is a function of user, post, type, time and its number among equal rows, so that a second run adds
# nothing. A time in the future counts as now.
_GIVEN = """SELECT u.id AS user_id, p.id AS post_id, {time} AS happened, p.created_at AS posted
    FROM {table} t {user_key} {post_key}
    LEFT JOIN {feed_users} u ON u.id = {user_id}
    LEFT JOIN {feed_posts} p ON p.id = {post_id}
    WHERE {condition}"""
_EVENT = """SELECT user_id, post_id, '{kind}', least(happened, now()), least(happened, now()),
    encode(substr(sha256(convert_to(concat_ws(' ', '{kind}', user_id, post_id, extract(epoch FROM happened),
        row_number() OVER (PARTITION BY user_id, post_id, happened)), 'UTF8')), 1, 16), 'hex')::uuid AS event_id
    FROM {given} AS given
    WHERE user_id IS NOT NULL AND post_id IS NOT NULL AND happened BETWEEN '0001-01-02Z' AND '9999-12-30Z'"""
_STATEMENT = """
WITH given AS MATERIALIZED (
    {given}
), added AS (
    INSERT INTO {user_interaction} (user_id, post_id, interaction_type, occurred_at, created_at, event_id)
    {event} ORDER BY happened
    ON CONFLICT (event_id) DO NOTHING
    RETURNING 1
)
SELECT count(*), (SELECT count(*) FROM added), count(*) FILTER (WHERE user_id IS NULL),
    count(*) FILTER (WHERE user_id IS NOT NULL AND post_id IS NULL),
    count(*) FILTER (WHERE user_id IS NOT NULL AND post_id IS NOT NULL AND happened IS NULL),
    count(*) FILTER (WHERE happened > now()), count(*) FILTER (WHERE happened < posted - interval '1 minute')
FROM given
"""


_WORK_MEMORY: Final = "256MB"  # sorts and joins of a million events stay in memory


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Rows of one table: `given` were read, `added` are new events, the others are duplicates or skipped."""

    kind: str
    table: str
    given: int
    added: int
    unknown_user: int
    unknown_post: int
    no_time: int
    in_future: int
    before_post: int

    @property
    def skipped(self) -> int:
        """The number of rows that cannot be events."""
        return self.unknown_user + self.unknown_post + self.no_time

    def warnings(self, time_zone: str) -> list[str]:
        """Return what is probably a mistake of the mapping or of the time zone."""
        texts = []
        if self.given == 0:
            texts.append("none of its rows is one of a post")
        elif self.skipped > self.given * LARGE_PART:
            texts.append(f"{self.skipped / self.given:.0%} of the rows are skipped")
        if self.before_post > self.given * LARGE_PART:
            share = self.before_post / self.given
            texts.append(f"{share:.0%} are earlier than their post; is {time_zone} the right time zone?")
        return [f"warning: {self.table} -> {self.kind}: {text}" for text in texts]

    def __str__(self) -> str:
        skipped = {
            "of unknown users": self.unknown_user,
            "of unknown posts": self.unknown_post,
            "without a time": self.no_time,
        }
        present = self.given - self.added - self.skipped
        parts = [f"{self.added:,} added", f"{present:,} there already"]
        parts += [f"{count:,} {name} skipped" for name, count in skipped.items() if count]
        parts += [f"{self.in_future:,} in the future counted as now"] if self.in_future else []
        parts += [f"{self.before_post:,} earlier than their post"] if self.before_post else []
        return f"{self.table} -> {self.kind}: {self.given:,} rows, {', '.join(parts)}"


def backfill(
    connection: Connection, schema: SchemaName, proposal: Proposal, time_zone: str
) -> list[Backfilled]:
    """Copy all tables of events, in the caller's transaction. The views and the ids of keys must be in place."""
    connection.exec_driver_sql(f"SET LOCAL work_mem TO '{_WORK_MEMORY}'")
    return [
        Backfilled(kind, str(source.table), *_copy(connection, schema, proposal, kind, source, time_zone))
        for kind, source in proposal.events
    ]


def event_select(
    schema: SchemaName, proposal: Proposal, kind: str, source: Source, time_zone: str, rows: str
) -> str:
    """Return a SELECT of user_id, post_id, type, both times and event_id of `rows`, which have the source's columns."""
    given = _given_select(schema, proposal, source, time_zone, rows)
    return _EVENT.format(kind=kind, given=f"({given})")


def _given_select(schema: SchemaName, proposal: Proposal, source: Source, time_zone: str, rows: str) -> str:
    keys = Keys(schema, proposal)
    return _GIVEN.format(
        table=rows,
        time=expressions.time(source, "created_at", time_zone),
        user_key=keys.join("user", source, "user_id", "user_key", outer=True),
        post_key=keys.join("post", source, "post_id", "post_key", outer=True),
        user_id=keys.id("user", source, "user_id", "user_key"),
        post_id=keys.id("post", source, "post_id", "post_key"),
        condition=expressions.visible(source),
        feed_users=schema["feed_users"],
        feed_posts=schema["feed_posts"],
    )


def _copy(
    connection: Connection, schema: SchemaName, proposal: Proposal, kind: str, source: Source, time_zone: str
) -> tuple[int, ...]:
    statement = _STATEMENT.format(
        given=_given_select(schema, proposal, source, time_zone, source.table.sql),
        event=_EVENT.format(kind=kind, given="given"),
        user_interaction=schema["user_interaction"],
    )
    [counts] = run_script(connection, statement)
    return tuple(counts)
