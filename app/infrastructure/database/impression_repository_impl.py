"""ImpressionRepository over PostgreSQL."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg2.errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.domain.entities import INTERACTION_TYPES, Impression
from app.domain.errors import UnknownUser
from app.domain.feed.impressions import MAX_PER_USER
from app.domain.feed.shown_pages import ShownPage
from app.domain.repositories.impression_repository import (
    MAX_CHOICE_HOURS,
    MAX_REACH_EVENTS,
    MAX_REACH_POSTS,
    PostReach,
)
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.sql_repository import SqlRepository
from app.infrastructure.database.tombstones import NO_TOMBSTONES, Tombstones

MAX_PAGES_READ: Final = 200_000
"""Pages in a full read, the newest; 20 posts each take 50 MB in the feed state."""
PAGE_COLUMNS: Final = "user_id, time, posts, seen"
"""The columns of a stored page that the feed state needs."""
MAX_POST_NUMBER: Final = 2**31 - 1
"""The largest number of a post (`Post.seq`) that fits into the four bytes of a place."""
EXPERIMENT_DAYS: Final = 365
"""How long the counts of experiments are kept."""
_DAYS_AHEAD = 3

# The join with the view skips known users that no longer exist. Counts are changed in order of their key, so that
# concurrent statements lock them in the same order and cannot deadlock.
SAVE_STATEMENT: Final = """
WITH added AS (
    INSERT INTO {impression} (user_id, time, request_id, mode, model_version, posts, sources, variants, team,
        degraded, slow, failed_variants, probability)
    SELECT given.user_id, given.time, request_id, mode, model_version, posts::integer[], sources, variants::jsonb,
        team::smallint[], degraded, slow, failed_variants::jsonb, probability::real[]
    FROM unnest(
        %s::uuid[], %s::boolean[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::boolean[], %s::boolean[], %s::text[], %s::text[]
    ) AS given (
        user_id, known_user, time, request_id, mode, model_version, posts, sources, variants, team, degraded, slow,
        failed_variants, probability
    )
    LEFT JOIN {feed_users} u ON u.id = given.user_id
    WHERE u.id IS NOT NULL OR NOT given.known_user
    RETURNING posts
)
INSERT INTO {impression_count} AS counted (post, shown)
SELECT post, count(*) FROM added CROSS JOIN unnest(added.posts) AS post GROUP BY post ORDER BY post
ON CONFLICT (post) DO UPDATE SET shown = counted.shown + excluded.shown
"""

PAGES_STATEMENT: Final = f"""
SELECT {PAGE_COLUMNS} FROM {{impression}} WHERE user_id = %s AND request_id = %s FOR UPDATE
"""
SEEN_STATEMENT: Final = """
UPDATE {impression} SET seen = %s::varbit, xid = pg_current_xact_id()
WHERE user_id = %s AND time = %s AND request_id = %s AND posts = %s::integer[]
"""
COUNT_SEEN_STATEMENT: Final = """
UPDATE {impression_count} counted SET seen = counted.seen + 1
FROM (SELECT post FROM {impression_count} WHERE post = ANY(%s) ORDER BY post FOR UPDATE) AS locked
WHERE counted.post = locked.post
"""

REACH_STATEMENT: Final = f"""
SELECT p.id, coalesce(p.external_id, p.id::text), p.created_at, coalesce(c.shown, 0), coalesce(c.seen, 0), events.counts
FROM (
    SELECT id, external_id, created_at, seq FROM {{feed_posts}}
    WHERE author_id = %s AND coalesce(visible, true) ORDER BY created_at DESC, seq DESC LIMIT {MAX_REACH_POSTS}
) AS p
LEFT JOIN {{impression_count}} c ON c.post = p.seq
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(interaction_type, number), '{{{{}}}}') AS counts FROM (
        SELECT interaction_type, count(*) AS number FROM (
            SELECT interaction_type FROM {{user_interaction}} WHERE post_id = p.id ORDER BY created_at
            LIMIT {MAX_REACH_EVENTS}
        ) AS first_events GROUP BY interaction_type
    ) AS by_type
) AS events
ORDER BY p.created_at DESC, p.seq DESC
"""

# `created_at` is the time at which a transaction begins; it has ended 30 s later. After an outage, the events of the
# last hour are counted.
CHOICES_UNTIL_STATEMENT: Final = "SELECT now() - interval '30 seconds'"
CHOSEN_STATEMENT: Final = f"""
SELECT coalesce(i.model_version, 'none'), array_position(i.posts, p.seq::integer), count(*)
FROM {{user_interaction}} e
JOIN {{feed_posts}} p ON p.id = e.post_id
JOIN {{impression}} i ON i.user_id = e.user_id AND i.request_id = e.request_id AND p.seq::integer = ANY (i.posts)
WHERE e.created_at > greatest(%(since)s, %(until)s - interval '1 hour') AND e.created_at <= %(until)s
    AND e.interaction_type <> 'view' AND i.mode = 'ranked'
    AND i.time > %(since)s - interval '{MAX_CHOICE_HOURS} hours' AND i.time <= %(until)s
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class SqlImpressionRepository(SqlRepository):
    """ImpressionRepository over the partitioned table impression and the table impression_count.

    A page with a post number above MAX_POST_NUMBER is omitted, and so is one of an erased user.
    """

    tombstones: Tombstones = NO_TOMBSTONES
    _days: set[date] = field(default_factory=set, init=False)  # days whose partitions exist

    def save(self, impressions: Sequence[Impression]) -> int:
        """As in ImpressionRepository; one statement. Missing partitions are created first."""
        storable = [page for page in impressions if max(page.posts, default=0) <= MAX_POST_NUMBER]
        if storable:
            self._save(storable)
        return len(impressions) - len(storable)

    def _save(self, impressions: Sequence[Impression]) -> None:
        days = {impression.shown_at.astimezone(UTC).date() for impression in impressions}
        for attempt in (1, 2):
            with self.transaction() as connection:
                self._create_partitions(connection, days - self._days)
            self._days.update(days)
            try:
                self._insert(impressions)
                return
            except DBAPIError as error:  # a partition was dropped since
                if attempt == 2 or not isinstance(error.orig, psycopg2.errors.CheckViolation):
                    raise
                self._days.clear()

    def report_seen(self, user_id: UUID, request_id: str, post_ids: Sequence[UUID]) -> Sequence[ShownPage]:
        with self.transaction() as connection:
            known, numbers = connection.exec_driver_sql(
                f"SELECT EXISTS (SELECT FROM {self.schema['feed_users']} WHERE id = %s), "
                f"ARRAY(SELECT seq FROM {self.schema['feed_posts']} WHERE id = ANY(%s))",
                (user_id, list(post_ids)),
            ).one()
            pages = [
                page_from_row(*row)
                for row in connection.exec_driver_sql(
                    PAGES_STATEMENT.format_map(self.schema), (user_id, request_id)
                )
            ]
            if not known and not pages:
                raise UnknownUser(str(user_id))
            return [self._mark(connection, page, request_id, numbers) for page in pages]

    def maintain(self, keep_days: int) -> int:
        """As in ImpressionRepository; each call of a function is a transaction of its own."""
        today = datetime.now(UTC).date()
        with self.transaction() as connection:
            days = {today + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD)}
            self._create_partitions(connection, days)
        with self.transaction() as connection:
            statement = f"SELECT {self.schema['feed_impression_purge']}(%s)"
            dropped: int = connection.exec_driver_sql(statement, (keep_days,)).scalar_one()
        with self.transaction() as connection:
            statement = f"SELECT {self.schema['feed_experiment_purge']}(%s)"
            connection.exec_driver_sql(statement, (EXPERIMENT_DAYS,))
        return dropped

    def chosen_places(self, since: datetime | None) -> tuple[Mapping[str, Mapping[int, int]], datetime]:
        with self.transaction() as connection:
            until: datetime = connection.exec_driver_sql(CHOICES_UNTIL_STATEMENT).scalar_one()
            found: dict[str, dict[int, int]] = {}
            if since is not None:
                times = {"since": since, "until": until}
                for version, place, count in connection.exec_driver_sql(
                    CHOSEN_STATEMENT.format_map(self.schema), times
                ):
                    found.setdefault(version, {})[place] = count
        return found, until

    def reach(self, author_id: UUID) -> Sequence[PostReach]:
        with self.transaction(snapshot=True) as connection:
            self.require_user(connection, author_id)
            rows = connection.exec_driver_sql(REACH_STATEMENT.format_map(self.schema), (author_id,))
            return [
                PostReach(
                    id_,
                    name,
                    created_at,
                    shown,
                    seen,
                    {kind: counts.get(kind, 0) for kind in INTERACTION_TYPES},
                )
                for id_, name, created_at, shown, seen, counts in rows
            ]

    def _create_partitions(self, connection: Connection, days: set[date]) -> None:
        for day in sorted(days):
            connection.exec_driver_sql(f"SELECT {self.schema['feed_impression_partition']}(%s)", (day,))

    def _insert(self, impressions: Sequence[Impression]) -> None:
        unknown = {page.user_id for page in impressions if not page.known_user}
        with self.transaction() as connection:
            erased = self.tombstones.erased(connection, self.schema, unknown)
            kept = [page for page in impressions if page.user_id not in erased]
            if not kept:
                return
            columns = zip(*map(_parameters, kept), strict=True)
            connection.exec_driver_sql(SAVE_STATEMENT.format_map(self.schema), tuple(map(list, columns)))

    def _mark(
        self, connection: Connection, page: ShownPage, request_id: str, numbers: Sequence[int]
    ) -> ShownPage:
        """Mark the posts with these numbers as seen, and return the page. A page without a new one is not written."""
        seen = page.seen | np.isin(page.posts, numbers)
        new = page.posts[seen & ~page.seen].tolist()
        if new:
            bits = "".join(map(str, seen.astype(int).tolist()))
            key = page.user_id, page.shown_at, request_id, page.posts.tolist()
            connection.exec_driver_sql(SEEN_STATEMENT.format_map(self.schema), (bits, *key))
            connection.exec_driver_sql(COUNT_SEEN_STATEMENT.format_map(self.schema), (new,))
        return ShownPage(page.user_id, page.shown_at, page.posts, seen)


def page_from_row(user_id: UUID, shown_at: datetime, posts: list[int], seen: str | None) -> ShownPage:
    """The page of a row of PAGE_COLUMNS."""
    bits = np.array(list(seen)) == "1" if seen else np.zeros(len(posts), np.bool_)
    return ShownPage(user_id, shown_at, np.array(posts, np.int64), bits)


def read_pages_of(connection: Connection, schema: SchemaName, user_ids: Collection[UUID]) -> list[ShownPage]:
    """The newest MAX_PER_USER pages of each of the users, oldest first."""
    if not user_ids:
        return []
    query = (
        f"SELECT {PAGE_COLUMNS} FROM unnest(%s::uuid[]) AS given (id) CROSS JOIN LATERAL (SELECT {PAGE_COLUMNS} "
        f"FROM {schema['impression']} WHERE user_id = given.id ORDER BY time DESC LIMIT {MAX_PER_USER}) AS newest "
        "ORDER BY time"
    )
    rows: Any = connection.exec_driver_sql(query, (list(user_ids),))
    return [page_from_row(*row) for row in rows]


def read_newest_pages(connection: Connection, schema: SchemaName) -> list[ShownPage]:
    """The newest MAX_PAGES_READ pages and those of the same day, oldest first.

    Reads one partition after another, the newest day first. A schema that an earlier version migrated has none.
    """
    partitions = connection.exec_driver_sql(
        "SELECT right(c.relname, 8) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s) ORDER BY 1 DESC",
        (schema["impression"],),
    )
    query = f"SELECT {PAGE_COLUMNS} FROM {schema['impression']} WHERE time >= %s AND time < %s"
    pages: list[ShownPage] = []
    for name in partitions.scalars().all():
        start = datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC)
        rows: Any = connection.exec_driver_sql(query, (start, start + timedelta(days=1)))
        pages += [page_from_row(*row) for row in rows]
        if len(pages) >= MAX_PAGES_READ:
            break
    return sorted(pages, key=lambda page: page.shown_at)


def _parameters(one: Impression) -> tuple[object, ...]:
    """The values of one page in the order of SAVE_STATEMENT; a value for each place is a PostgreSQL array."""
    sources = "".join(reason.letter for reason in one.reasons)
    return (
        one.user_id,
        one.known_user,
        one.shown_at,
        one.request_id,
        one.mode,
        one.model_version,
        _array(one.posts),
        sources,
        _json_or_none(one.variants),
        _array(one.teams) if one.teams else None,
        one.degraded,
        one.slow,
        _json_or_none(one.failed_variants),
        _array(one.probabilities) if one.probabilities else None,
    )


def _array(values: Sequence[float]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def _json_or_none(variants: Mapping[str, str]) -> str | None:
    return json.dumps(dict(variants)) if variants else None
