"""Reads users with their settings, audiences and interests."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from app.domain.entities import User
from app.infrastructure.database.schema import SchemaName

_STATEMENT = """
SELECT id, coalesce(external_id, id::text),
    CASE WHEN created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z' THEN least(created_at, now()) END,
    discoverable, personalised, languages, show_sensitive, ARRAY(
    SELECT DISTINCT audience_id::text FROM {feed_memberships} m
    WHERE m.user_id = u.id AND audience_id IS NOT NULL ORDER BY 1
), ARRAY(SELECT tag FROM {user_interest} i WHERE i.user_id = u.id AND tag IS NOT NULL ORDER BY 1),
    ARRAY(SELECT author_id FROM {user_interest} i WHERE i.user_id = u.id AND author_id IS NOT NULL ORDER BY 1)
FROM {feed_complete_users}() AS u WHERE id = ANY(%s)
"""


def read_users(connection: Connection, schema: SchemaName, ids: Sequence[UUID]) -> list[User]:
    """Return the users of `ids` that the view feed_users shows."""
    rows = connection.exec_driver_sql(_STATEMENT.format_map(schema), (list(ids),))
    return [
        User(
            id_,
            external_id,
            created,
            discoverable,
            personalised,
            tuple(languages),
            sensitive,
            *(tuple(values) for values in lists),
        )
        for id_, external_id, created, discoverable, personalised, languages, sensitive, *lists in rows
    ]
