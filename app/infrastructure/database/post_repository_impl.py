"""PostRepository over PostgreSQL."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from app.domain.entities import Post
from app.domain.feed.row_checksums import Checksums
from app.infrastructure.database.embeddings import SENT_EMBEDDING, embedding_content
from app.infrastructure.database.full_read import SETTINGS, post_source
from app.infrastructure.database.row_checksums import read_checksums
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.sql_repository import SqlRepository

# an author whom the view of the users does not show is unknown
_POST_COLUMNS: Final = (
    "id, coalesce(external_id, id::text), (SELECT u.id FROM {feed_users} u WHERE u.id = author_id), created_at, seq, "
    f"content, tags, visible, {', '.join(SETTINGS)}, {SENT_EMBEDDING}"
)


def read_posts(connection: Connection, schema: SchemaName, condition: str, value: object) -> list[Post]:
    """Return the posts of the view feed_posts that fulfil a condition with one placeholder, in the order of `seq`."""
    columns, source = _POST_COLUMNS.format_map(schema), post_source(schema, own_tables=False)
    query = f"SELECT {columns} FROM {source} AND {condition} ORDER BY seq"
    rows = connection.exec_driver_sql(query, (value,))
    return [
        Post(
            id_,
            external_id,
            author_id,
            created_at,
            seq,
            content,
            tuple(tags),
            *(*settings, embedding_content(sent)),
        )
        for id_, external_id, author_id, created_at, seq, content, tags, *settings, sent in rows
    ]


class SqlPostRepository(SqlRepository):
    """PostRepository over the view feed_posts."""

    def posts(self, ids: Sequence[UUID]) -> tuple[Sequence[Post], Checksums]:
        """Return the posts of `ids` that the view shows, and the checksums of `ids`."""
        with self.transaction(snapshot=True) as connection:
            posts = read_posts(connection, self.schema, "id = ANY(%s)", list(ids))
            return posts, read_checksums(connection, self.schema, events=(), posts=ids).posts
