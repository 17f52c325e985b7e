"""An archive: old posts, which PostgreSQL generates itself.

COPY of generated rows takes a fifth more CPU time: the indexes need most of it either way, and COPY parses text.
"""

from typing import Final

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.default_schema import feed_schema

_SECONDS_BETWEEN_POSTS: Final = 10


def add_archive(url: str, n_posts: int) -> None:
    """Add posts of the stored users, with one tag each, until there are `n_posts` such posts.

    There must be a post. Each added post is older than every post before it.

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
        connection.exec_driver_sql(f"ANALYZE {schema['posts']}")
    engine.dispose()
