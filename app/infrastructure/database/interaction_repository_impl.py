"""InteractionRepository over PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg2.errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.domain.entities import Interaction, InteractionType
from app.domain.errors import DomainError, InvalidInteraction, UnknownPost, UnknownUser
from app.domain.feed.dataset import KeyedEvents
from app.domain.repositories.interaction_repository import (
    RecordResult,
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)
from app.infrastructure.database.connection import commit_statement, first_line, transaction
from app.infrastructure.database.full_read import OCCURRED_AT, READABLE_POST, RECEIVED_AT, read_events
from app.infrastructure.database.schema import SchemaName
from app.infrastructure.database.sql_repository import SqlRepository

# One statement for the batch. It stores nothing if an entity is unknown, unless the call is partial. MATERIALIZED
# evaluates `given` once, so the new id of a row identifies its place in the batch. Unknown users and posts are found
# through the views, because adopted tables have no foreign keys.
RECORD_STATEMENT = """
WITH given AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, g.* FROM unnest(
        %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::uuid[], %s::text[]
    ) WITH ORDINALITY AS g (user_id, post_id, kind, metadata, occurred_at, event_id, request_id, place)
), unknown AS MATERIALIZED (
    SELECT place, 'user' AS entity FROM given
    WHERE NOT EXISTS (SELECT FROM {feed_users} u WHERE u.id = given.user_id)
    UNION ALL SELECT place, 'post' FROM given
    WHERE NOT EXISTS (SELECT FROM {feed_readable_posts}(given.user_id) AS p (id) WHERE p.id = given.post_id)
), added AS (
    INSERT INTO {user_interaction}
        (id, user_id, post_id, interaction_type, metadata, occurred_at, event_id, request_id)
    SELECT given.id, user_id, post_id, kind, metadata::jsonb, occurred_at, event_id, request_id
    FROM given WHERE NOT EXISTS (SELECT FROM unknown WHERE NOT %s OR unknown.place = given.place)
    ORDER BY given.place
    ON CONFLICT (event_id) DO NOTHING
    RETURNING id, seq, xid::text::bigint AS xid, created_at
)
SELECT given.place, added.seq, added.xid, added.created_at, NULL AS unknown FROM added JOIN given USING (id)
UNION ALL SELECT place, NULL, NULL, NULL, entity FROM unknown
ORDER BY 1, 5
"""


RETRACT_STATEMENT = """
WITH gone AS (
    DELETE FROM {user_interaction}
    WHERE user_id = %s::uuid AND ((post_id = %s::uuid AND interaction_type = %s) OR event_id = %s::uuid)
    RETURNING seq, post_id
)
SELECT EXISTS (SELECT FROM {feed_users} WHERE id = %s::uuid),
    EXISTS (SELECT FROM {feed_readable_posts}(%s::uuid) AS p (id) WHERE p.id = %s::uuid),
    (SELECT array_agg(seq) FROM gone), (SELECT post_id FROM gone LIMIT 1)
"""

_LISTS_BUDGET_SECONDS: Final = 30.0  # a post may have millions of events
EVENT_COLUMNS = f"{RECEIVED_AT}, user_id, post_id, interaction_type, {OCCURRED_AT}, event_id, request_id"
"""The columns of a stored event, after its xid and seq."""


class SqlInteractionRepository(SqlRepository):
    """InteractionRepository over the table user_interaction."""

    def record(self, interactions: Sequence[Interaction], *, partial: bool = False) -> RecordResult:
        """Commit the interactions with one statement; an `event_id` that is stored already is a duplicate.

        Raises, unless `partial`, UnknownUser or UnknownPost for the first such interaction; InvalidInteraction for
        values that PostgreSQL cannot store (NUL, half a surrogate pair, NaN in metadata); StorageUnavailable.
        """
        if not interactions:
            return RecordResult((), 0)
        try:
            columns = zip(*map(_parameters, interactions), strict=True)
            statement = RECORD_STATEMENT.format_map(self.schema)
            parameters = (*map(list, columns), partial)
            rows = commit_statement(self.engine, self.budget_seconds, statement, parameters)
        except DBAPIError as error:
            raise _translate(error) from error
        except (ValueError, TypeError) as error:  # of json or psycopg2; SQLAlchemy's errors are neither
            raise InvalidInteraction(f"an interaction cannot be stored: {error}") from error
        rejected: dict[int, DomainError] = {}
        for place, *_, unknown in rows:  # of an event with both, the user remains
            one = interactions[place - 1]
            if unknown is not None:
                is_user = unknown == "user"
                rejected[place - 1] = (
                    UnknownUser(str(one.user_id)) if is_user else UnknownPost(str(one.post_id))
                )
        if rejected and not partial:  # then the statement stored nothing
            raise rejected[min(rejected)]
        stored = tuple(
            StoredInteraction(seq, xid, received_at, interactions[place - 1])
            for place, seq, xid, received_at, unknown in rows
            if unknown is None
        )
        return RecordResult(stored, len(interactions) - len(stored) - len(rejected), rejected)

    def retract(self, user_id: UUID, post_id: UUID, interaction_type: InteractionType) -> RemovedEvents:
        removed = self._retract(user_id, post_id, interaction_type, None)
        return removed or RemovedEvents(user_id, post_id, (), ())

    def retract_event(self, user_id: UUID, event_id: UUID) -> RemovedEvents | None:
        return self._retract(user_id, None, None, event_id)

    def events_of(self, pairs: Sequence[UserAndPost]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        with self.transaction() as connection:
            return read_events_of(connection, self.schema, pairs)

    def events_with(
        self, users: Sequence[UUID], posts: Sequence[UUID], *, in_request: bool = False
    ) -> KeyedEvents:
        """As in InteractionRepository."""
        source = (
            f"{self.schema['user_interaction']} WHERE user_id = ANY(%s::uuid[]) OR post_id = ANY(%s::uuid[])"
        )
        budget_seconds = self.budget_seconds if in_request else _LISTS_BUDGET_SECONDS
        with transaction(self.engine, budget_seconds) as connection:
            return read_events(connection, source, list(users), list(posts))

    def events_of_posts(self, posts: Sequence[UUID]) -> Mapping[UserAndPost, Sequence[StoredInteraction]]:
        """As in InteractionRepository."""
        with transaction(self.engine, _LISTS_BUDGET_SECONDS) as connection:
            given = "unnest(%s::uuid[]) AS given (given_post)"
            return _read_events(connection, self.schema, given, "post_id = given_post", list(posts))

    def _retract(
        self, user_id: UUID, post_id: UUID | None, kind: str | None, event_id: UUID | None
    ) -> RemovedEvents | None:
        with self.transaction() as connection:
            knows_user, knows_post, seqs, post = connection.exec_driver_sql(
                RETRACT_STATEMENT.format_map(self.schema),
                (user_id, post_id, kind, event_id, user_id, user_id, post_id),
            ).one()
            if not knows_user:
                raise UnknownUser(str(user_id))
            if post_id is not None and not knows_post:
                raise UnknownPost(str(post_id))
            if not seqs:
                return None
            pair = user_id, post
            return RemovedEvents(*pair, seqs, read_events_of(connection, self.schema, [pair])[pair])


def read_events_of(
    connection: Connection, schema: SchemaName, pairs: Sequence[UserAndPost]
) -> dict[UserAndPost, list[StoredInteraction]]:
    """Return all events of each of the given users with the given post, in the order of their numbers.

    Events of users or posts that the views do not show are skipped.
    """
    events: dict[UserAndPost, list[StoredInteraction]] = {pair: [] for pair in pairs}
    if not pairs:
        return events
    given = "unnest(%s::uuid[], %s::uuid[]) AS given (given_user, given_post)"
    condition = "user_id = given_user AND post_id = given_post"
    return events | _read_events(connection, schema, given, condition, *map(list, zip(*pairs, strict=True)))


def _read_events(
    connection: Connection, schema: SchemaName, given: str, condition: str, *values: list[UUID]
) -> dict[UserAndPost, list[StoredInteraction]]:
    """Return the events that fulfil the condition for a row of `given`, by user and post, in order of their numbers.

    PostgreSQL reads those of one row after the other (LATERAL): for thousands of rows together it may choose to read
    all users and posts, because it expects as many events of each post as popular ones have.
    """
    query = (
        f"SELECT xid::text::bigint, seq, {EVENT_COLUMNS} FROM {given} CROSS JOIN LATERAL ("
        f"SELECT * FROM {schema['user_interaction']} WHERE {condition} "
        f"AND EXISTS (SELECT FROM {schema['feed_users']} u WHERE u.id = user_id) "
        f"AND EXISTS (SELECT FROM {schema['feed_posts']} p WHERE p.id = post_id AND {READABLE_POST}) OFFSET 0"
        f") AS shown ORDER BY seq"
    )
    events: dict[UserAndPost, list[StoredInteraction]] = {}
    for row in connection.exec_driver_sql(query, values):
        event = event_from_row(*row)
        events.setdefault((event.interaction.user_id, event.interaction.post_id), []).append(event)
    return events


def event_from_row(xid: int, seq: int, received_at: datetime, *fields: Any) -> StoredInteraction:
    """Return the event of a row of xid, seq and EVENT_COLUMNS, without metadata, which the ranking does not use."""
    return StoredInteraction(seq, xid, received_at, Interaction(*fields))


def _parameters(one: Interaction) -> tuple[object, ...]:
    """Return the values of one interaction in the order of RECORD_STATEMENT. Raises ValueError, TypeError."""
    metadata = json.dumps(dict(one.metadata), allow_nan=False)
    return (
        one.user_id,
        one.post_id,
        one.interaction_type,
        metadata,
        one.occurred_at,
        one.event_id,
        one.request_id,
    )


def _translate(error: DBAPIError) -> Exception:
    """Return the domain error for a statement that PostgreSQL rejected, or the error itself."""
    origin = error.orig
    if isinstance(origin, psycopg2.errors.ForeignKeyViolation):  # deleted after the check of the statement
        constraint, detail = origin.diag.constraint_name or "", origin.diag.message_detail or ""
        missing_id = detail.partition(")=(")[2].partition(")")[0]
        is_user = "user_id" in constraint.removeprefix("user_interaction")
        return UnknownUser(missing_id) if is_user else UnknownPost(missing_id)
    if isinstance(origin, psycopg2.DataError | psycopg2.errors.CheckViolation):
        return InvalidInteraction(f"an interaction cannot be stored: {first_line(error)}")
    return error
