"""A database with a long log, which PostgreSQL generates itself: rows first, indexes last, two connections.

The distributions are those of `archive_export`: users and authors by Zipf, most events of the newest posts, the others
of popular posts of any age, and a steady rate of events. Here the numbers of rows are drawn by PostgreSQL.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from hashlib import md5
from typing import Final
from uuid import UUID

import psycopg2
from psycopg2 import extensions

from benchmarks.archive_export import RECENT_SHARE, ArchiveSize

_CONNECTIONS: Final = 2
_POPULAR_STRIDE: Final = 7_919  # a prime: spreads the popular posts over all times
_SESSION: Final = """
    SET session_replication_role = replica;
    SET synchronous_commit = off;
    SET maintenance_work_mem = '1GB'
"""
RANDOM_USER: Final = "(floor(exp(random() * ln(%(users)s)))::bigint - 1)"
"""SQL expression of the number of a user, by Zipf; the id of number n is `user_id(n)`."""
RANDOM_TEXT: Final = """(
    SELECT string_agg('word' || floor(exp(random() * ln(5000))), ' ') FROM generate_series(1, 8 + 0 * k))"""
"""SQL expression of eight words, by Zipf, for row k."""
_USERS: Final = """
    INSERT INTO users (id, external_id, username, created_at, seq) OVERRIDING SYSTEM VALUE
    SELECT md5('user_' || k)::uuid, md5('user_' || k)::uuid::text, 'user ' || k, %(start)s, k + 1
    FROM generate_series(%(first)s, %(last)s) k
"""
_POSTS: Final = f"""
    INSERT INTO posts (id, external_id, author_id, content, tags, created_at, seq) OVERRIDING SYSTEM VALUE
    SELECT md5('post_' || k)::uuid, md5('post_' || k)::uuid::text,
        md5('user_' || {RANDOM_USER})::uuid, {RANDOM_TEXT},
        ARRAY['tag_' || floor(exp(random() * ln(500)))],
        %(start)s + (k + random()) / %(posts)s * %(length)s, k + 1
    FROM generate_series(%(first)s, %(last)s) k
"""
_FOLLOWS: Final = f"""
    INSERT INTO follows (follower_id, followee_id)
    SELECT DISTINCT md5('user_' || follower)::uuid, md5('user_' || followee)::uuid FROM (
        SELECT k / 10 AS follower, {RANDOM_USER} AS followee
        FROM generate_series(%(first)s, %(last)s) k
    ) AS drawn WHERE follower <> followee
"""
_EVENTS: Final = f"""
    INSERT INTO user_interaction (user_id, post_id, interaction_type, created_at, occurred_at, seq)
    OVERRIDING SYSTEM VALUE
    SELECT md5('user_' || engaged)::uuid,
        md5('post_' || CASE WHEN is_recent OR popular > newest THEN recent ELSE popular END)::uuid,
        CASE WHEN kind < .55 THEN 'view' WHEN kind < .80 THEN 'click' WHEN kind < .92 THEN 'like'
            WHEN kind < .97 THEN 'comment' ELSE 'share' END, time, time, k + 1
    FROM (SELECT *, newest - rank %% (newest + 1) AS recent FROM (
        SELECT k, random() AS kind, random() < %(recent_share)s AS is_recent,
            %(start)s + (k + random()) / %(events)s * %(length)s AS time,
            greatest(k * %(posts)s / %(events)s - 1, 0) AS newest,
            floor(exp(random() * ln(%(posts)s)))::bigint - 1 AS rank,
            1 + (floor(exp(random() * ln(%(posts)s)))::bigint - 1) * %(stride)s %% %(posts)s AS popular,
            {RANDOM_USER} AS engaged
        FROM generate_series(%(first)s::bigint, %(last)s) k OFFSET 0
    ) AS drawn OFFSET 0) AS events
"""
_FOLLOWS_PER_USER: Final = 10  # of the 100,000 users with the most events


def build_archive(url: str, size: ArchiveSize, until: datetime) -> None:
    """Fill an empty database of the service's own tables, of which the role is a superuser. The log ends at `until`.

    Likes, comments and shares are not counted (`feed_engagement_count`): only the web application reads these counts.
    """
    n_follows = _FOLLOWS_PER_USER * min(size.users, 100_000)
    for table, statement, rows, rows_per_statement in (
        ("users", _USERS, size.users, 250_000),
        ("posts", _POSTS, size.posts, 100_000),
        ("follows", _FOLLOWS, n_follows, n_follows),
        ("user_interaction", _EVENTS, size.events, 500_000),
    ):
        parts = [
            {"first": first, "last": min(first + rows_per_statement, rows) - 1}
            for first in range(0, rows, rows_per_statement)
        ]
        _fill(url, table, [(statement, _parameters(size, until) | part) for part in parts])
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        for table in ("users", "posts", "user_interaction"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), max(seq)) FROM {table}")


def user_id(number: int) -> str:
    """The id of a user of `build_archive`; the smallest numbers have the most events."""
    return str(UUID(md5(f"user_{number}".encode(), usedforsecurity=False).hexdigest()))


def _parameters(size: ArchiveSize, until: datetime) -> dict[str, object]:
    length = timedelta(days=size.days)
    return {
        "users": size.users,
        "posts": size.posts,
        "events": size.events,
        "start": until - length,
        "length": length,
        "recent_share": RECENT_SHARE,
        "stride": _POPULAR_STRIDE,
    }


def _fill(url: str, table: str, statements: Sequence[tuple[str, Mapping[str, object]]]) -> None:
    """Run the statements, which insert into the table, and make its indexes afterwards."""
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass", (table,)
        )
        indexes = [name for (name,) in cursor.fetchall()]
        # PostgreSQL adds nothing to an index that is not ready, and REINDEX makes it ready
        cursor.execute("UPDATE pg_index SET indisready = false WHERE indrelid = %s::regclass", (table,))
    _run(url, statements)
    _run(url, [(f"REINDEX INDEX {name}", None) for name in indexes])
    _run(url, [(f"VACUUM (ANALYZE) {table}", None)])


def _run(url: str, statements: Sequence[tuple[str, Mapping[str, object] | None]]) -> None:
    """Run each statement in a transaction of its own, some at the same time."""

    def run(number: int) -> None:
        with closing(_connect(url)) as connection, connection.cursor() as cursor:
            for statement, parameters in statements[number::_CONNECTIONS]:
                cursor.execute(statement, parameters)

    with ThreadPoolExecutor(_CONNECTIONS) as executor:
        for done in [executor.submit(run, number) for number in range(_CONNECTIONS)]:
            done.result()


def _connect(url: str) -> extensions.connection:
    connected = psycopg2.connect(url)
    connected.autocommit = True
    with connected.cursor() as cursor:
        cursor.execute(_SESSION)
    return connected
