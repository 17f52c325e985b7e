"""An archive: old posts without events, which PostgreSQL generates itself."""

from typing import Final

from app.infrastructure.database.connection import create_feed_engine
from app.infrastructure.database.default_schema import feed_schema

_SECONDS_BETWEEN_POSTS: Final = 10


def add_archive(url: str, n_posts: int) -> None:
    """Add posts of the stored users, with one tag each, older than every stored post. There must be a post.

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
                oldest AS (SELECT min(created_at) AS at FROM {schema["posts"]})
            INSERT INTO {schema["posts"]} (external_id, author_id, content, tags, created_at)
            SELECT 'archive_' || k, ids[1 + k %% n], 'archived post ' || k, ARRAY['tag_' || k %% 50],
                at - k * interval '{_SECONDS_BETWEEN_POSTS} seconds'
            FROM generate_series(1, %s) k, authors, oldest
            """,
            (n_posts,),
        )
        connection.exec_driver_sql(f"ANALYZE {schema['posts']}")
    engine.dispose()
