"""PostRepository over PostgreSQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from app.domain.entities import Post
from app.infrastructure.database.connection import transaction
from app.infrastructure.database.full_read import POST_READABLE, clean_tags
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName

POST_COLUMNS = (
    "id::text, coalesce(external_id, id::text), author_id::text, created_at, seq, coalesce(content, ''), tags, "
    "coalesce(visible, true)"
)


def post_from_row(row: Any) -> Post:
    """Convert a row of POST_COLUMNS."""
    id_, external_id, author, created_at, seq, content, tags, visible = row
    author_id = UUID(author) if author else None
    return Post(UUID(id_), external_id, author_id, created_at, seq, content, clean_tags(tags), visible)


class SqlPostRepository:
    """PostRepository over the view feed_posts."""

    def __init__(self, engine: Engine, schema: SchemaName = PUBLIC_SCHEMA, *, budget_seconds: float) -> None:
        self._engine = engine
        self._schema = schema
        self._budget_seconds = budget_seconds

    def posts(self, ids: Sequence[UUID]) -> Sequence[Post]:
        """Return the posts of `ids` that the view shows."""
        if not ids:
            return []
        view = self._schema["feed_posts"]
        query = f"SELECT {POST_COLUMNS} FROM {view} WHERE id = ANY(%s::uuid[]) AND {POST_READABLE}"
        with transaction(self._engine, self._budget_seconds, snapshot=True) as connection:
            return [post_from_row(row) for row in connection.exec_driver_sql(query, (list(map(str, ids)),))]
