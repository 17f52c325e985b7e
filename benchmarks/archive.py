"""An archive: old posts and their events, which PostgreSQL generates itself.

COPY of generated rows takes a fifth more CPU time: the indexes need most of it either way, and COPY parses text.
"""

from typing import Any, Final

from sqlalchemy import Connection

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.schema import SchemaName

_SECONDS_BETWEEN_POSTS: Final = 10
_RECENT_SHARE: Final = 0.8  # of events that are of new posts; the others are of posts of any age
_POPULAR_STRIDE: Final = 7_919  # a prime: spreads the popular posts over all times


def add_archive(url: str, n_posts: int, n_events: int = 0) -> None:
    """Add posts of the stored users, with one tag each, until there are `n_posts` such posts, and `n_events` with them.

    There must be a post. Each added post is older than every post before it. Events come at a steady rate; users and
    the posts of each time follow Zipf distributions with exponent 1.

    The database must not be read by a running service: the triggers that capture changes are off meanwhile, so the role
    must be a superuser, as that of the embedded PostgreSQL is.
    """
    engine = create_feed_engine(url, connect_seconds=5)
    schema = feed_schema(engine, None)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"""
            WITH authors AS (SELECT array_agg(id) AS ids, count(*) AS n FROM {schema["users"]}),
                present AS (SELECT count(*) AS n FROM {schema["posts"]} WHERE external_id LIKE 'archive_%%'),
                oldest AS (SELECT min(created_at) AS at FROM {schema["posts"]})
            INSERT INTO {schema["posts"]} (id, external_id, author_id, content, tags, created_at)
            SELECT md5('archive_' || k)::uuid, 'archive_' || k, ids[1 + k %% authors.n], 'archived post ' || k,
                ARRAY['tag_' || k %% 50], at - (k - present.n) * interval '{_SECONDS_BETWEEN_POSTS} seconds'
            FROM authors, present, oldest, generate_series(present.n + 1, %s) k
            """,
            (n_posts,),
        )
        if n_events:
            _add_events(connection, schema, n_posts, n_events)
        connection.exec_driver_sql(f"ANALYZE {schema['posts']}, {schema['user_interaction']}")
    engine.dispose()


def _add_events(connection: Connection, schema: SchemaName, n_posts: int, n_events: int) -> None:
    """Add events with the posts of the archive, oldest first. Indexes are made again at the end."""
    indexes: list[tuple[Any, ...]] = [
        tuple(row)
        for row in connection.exec_driver_sql(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = to_regclass(%s) AND NOT indisunique",
            (schema["user_interaction"],),
        )
    ]
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    connection.exec_driver_sql("SELECT setseed(0.5)")
    # `newest_post` is the number of the newest post at the time of an event: posts with larger numbers are older
    connection.exec_driver_sql(
        f"""
        WITH engaged AS (SELECT array_agg(id) AS ids, count(*) AS n FROM {schema["users"]}),
            newest AS (SELECT max(created_at) AS at FROM {schema["posts"]} WHERE external_id LIKE 'archive_%%')
        INSERT INTO {schema["user_interaction"]} (user_id, post_id, interaction_type, created_at, occurred_at)
        SELECT ids[1 + floor(exp(random() * ln(engaged.n)))::int %% engaged.n],
            md5('archive_' || CASE WHEN is_recent OR popular < newest_post THEN recent ELSE popular END)::uuid,
            (ARRAY['view', 'click', 'like', 'comment', 'share'])[1 + floor(-log(1 - random() * 0.99) * 2.5)::int],
            time, time
        FROM engaged, (
            SELECT *, least(newest_post + rank, {n_posts}) AS recent,
                1 + rank * {_POPULAR_STRIDE} %% {n_posts} AS popular,
                random() < {_RECENT_SHARE} AS is_recent,
                at - (newest_post - 1) * interval '{_SECONDS_BETWEEN_POSTS} seconds'
                    + random() * interval '{_SECONDS_BETWEEN_POSTS} seconds' AS time
            FROM (
                SELECT {n_posts} - k * {n_posts} / {n_events} AS newest_post,
                    floor(exp(random() * ln({n_posts})))::bigint - 1 AS rank
                FROM generate_series(0::bigint, {n_events} - 1) k OFFSET 0
            ) AS drawn, newest OFFSET 0
        ) AS events
        """
    )
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
