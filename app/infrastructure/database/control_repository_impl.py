"""ControlRepository over PostgreSQL."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import psycopg2.errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.domain.entities.control import TARGET_FIELDS, Control
from app.domain.errors import InvalidControl, ManagedElsewhere, UnknownAuthor, UnknownPost, UnknownUser
from app.domain.repositories.control_repository import UserControls
from app.domain.words import normal_phrase, normal_tag
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.sql_repository import SqlRepository

# Unknown ids are found through the views, because adopted tables have no foreign keys.
RECORD_STATEMENT: Final = """
WITH given AS MATERIALIZED (
    SELECT %s::uuid AS user_id, %s::text AS action, %s::uuid AS post_id, %s::uuid AS author_id,
        %s::text AS tag, %s::text AS word,
        %s::timestamptz AS created_at, %s::timestamptz AS until, %s::boolean AS undo, %s::uuid AS event_id
), checked AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM {feed_users} u WHERE u.id = given.user_id) AS knows_user,
        given.post_id IS NULL OR EXISTS (
            SELECT FROM {feed_readable_posts}(given.user_id) AS p (id) WHERE p.id = given.post_id
        ) AS knows_post,
        given.author_id IS NULL OR EXISTS (SELECT FROM {feed_users} a WHERE a.id = given.author_id) AS knows_author
    FROM given
), added AS (
    INSERT INTO {user_feedback} (user_id, action, post_id, author_id, tag, word, created_at, until, undo, event_id)
    SELECT user_id, action, post_id, author_id, tag, word, coalesce(created_at, now()), until, undo, event_id
    FROM given, checked WHERE knows_user AND knows_post AND knows_author
    ON CONFLICT (event_id) DO NOTHING
)
SELECT knows_user, knows_post, knows_author FROM checked
"""

# One statement, so that the number and the controls are of the same moment. A view over tables of a team may have no
# numbers, and rows of actions or targets that this version does not know.
READ_STATEMENT: Final = """
WITH control AS (
    SELECT user_id, action, target_post_id, target_user_id, tag, word, created_at, until, seq FROM {feed_controls}
    WHERE {condition}
), state AS (
    SELECT user_id, coalesce(max(seq), 0) AS seq FROM (
        SELECT user_id, seq FROM {user_feedback} WHERE {condition} UNION ALL SELECT user_id, seq FROM control
    ) AS rows GROUP BY user_id
)
SELECT user_id, state.seq, action, target_post_id, target_user_id, tag, word, control.created_at, until
FROM state LEFT JOIN control USING (user_id) ORDER BY user_id, control.seq
"""


class SqlControlRepository(SqlRepository):
    """ControlRepository over the table user_feedback and the view feed_controls."""

    def record(self, control: Control, *, undo: bool, event_id: UUID | None) -> UserControls:
        """As in ControlRepository; one transaction.

        Also raises InvalidControl for a time that is out of range. Calls for the same user wait for each other, so a
        state with a larger number contains all changes with smaller ones.
        """
        values = (
            control.user_id,
            control.action,
            control.post_id,
            control.author_id,
            control.tag,
            control.word,
            control.created_at,
            control.until,
            undo,
            event_id,
        )
        try:
            with self.transaction() as connection:
                is_own = self.shows_own_table("feed_controls", "user_feedback")
                view = f"to_regclass('{self.schema['feed_controls']}')"
                of_team = (
                    f"coalesce(obj_description({view}, 'pg_class') ~ %s, false)"  # see adoption/views.py
                )
                shown, _ = connection.exec_driver_sql(
                    f"SELECT {is_own} AND NOT {of_team}, pg_advisory_xact_lock(hashtextextended(%s, 0))",
                    (control.action, f"feed controls {self.schema} {control.user_id}"),
                ).one()
                if not shown:
                    raise ManagedElsewhere(
                        "feed_controls: the view shows the table of another application; change the control there"
                    )
                statement = RECORD_STATEMENT.format_map(self.schema)
                knows_user, knows_post, knows_author = connection.exec_driver_sql(statement, values).one()
                if not knows_user:
                    raise UnknownUser(str(control.user_id))
                if not knows_post:
                    raise UnknownPost(str(control.post_id))
                if not knows_author:
                    raise UnknownAuthor(str(control.author_id))
                [controls] = read_controls(connection, self.schema, [control.user_id])
                return controls
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.errors.ForeignKeyViolation):  # deleted after the check
                raise UnknownUser(str(control.user_id)) from error
            if isinstance(error.orig, psycopg2.DataError | psycopg2.errors.CheckViolation):
                raise InvalidControl(f"the control cannot be stored: {first_line(error)}") from error
            raise

    def controls_of(self, user_id: UUID) -> UserControls:
        with self.transaction(snapshot=True) as connection:
            self.require_user(connection, user_id)
            [controls] = read_controls(connection, self.schema, [user_id])
            return controls


def read_controls(
    connection: Connection, schema: SchemaName, user_ids: Sequence[UUID] | None
) -> list[UserControls]:
    """Return the controls of each of the distinct `user_ids`, in the order in which the users set them.

    None: of all users of the view feed_users who have controls or took back all of theirs.
    """
    if user_ids is not None and not user_ids:
        return []
    condition = "user_id = ANY(%s)" if user_ids else f"user_id IN (SELECT id FROM {schema['feed_users']})"
    parameters = (list(user_ids),) * 2 if user_ids else ()
    statement = READ_STATEMENT.format(
        condition=condition, feed_controls=schema["feed_controls"], user_feedback=schema["user_feedback"]
    )
    controls: dict[UUID, list[Control]] = {user_id: [] for user_id in user_ids or ()}
    seqs: dict[UUID, int] = dict.fromkeys(controls, 0)
    for user_id, seq, action, post_id, author_id, tag, word, created_at, until in connection.exec_driver_sql(
        statement, parameters
    ):
        of_user = controls.setdefault(user_id, [])
        seqs[user_id] = seq
        targets = {
            "post_id": post_id,
            "author_id": author_id,
            "tag": normal_tag(tag or ""),
            "word": normal_phrase(word or ""),
        }
        field = TARGET_FIELDS.get(action, "")
        if target := targets.get(field):
            of_user.append(Control(user_id, action, **{field: target}, created_at=created_at, until=until))
    return [UserControls(user_id, tuple(of_user), seqs[user_id]) for user_id, of_user in controls.items()]


def read_all_controls(connection: Connection, schema: SchemaName) -> list[UserControls]:
    """Return the controls of all users. A schema that an earlier version migrated has none."""
    query = "SELECT to_regclass(%s) IS NULL"
    if connection.exec_driver_sql(query, (schema["user_feedback"],)).scalar_one():
        return []
    return read_controls(connection, schema, None)
