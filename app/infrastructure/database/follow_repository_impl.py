"""FollowRepository over PostgreSQL."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import psycopg2.errors
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.domain.errors import ManagedElsewhere, UnknownUser
from app.domain.repositories.follow_repository import FollowChange
from app.infrastructure.database.connection import DEFAULT_BUDGET_SECONDS, transaction
from app.infrastructure.database.own_views import shows_own_table
from app.infrastructure.database.schema import PUBLIC_SCHEMA, SchemaName

FOLLOW: Final = """
INSERT INTO {follows} (follower_id, followee_id, created_at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING
"""
UNFOLLOW: Final = "DELETE FROM {follows} WHERE follower_id = %s AND followee_id = %s"


@dataclass(frozen=True, slots=True)
class SqlFollowRepository:
    """FollowRepository over the table follows."""

    engine: Engine
    schema: SchemaName = PUBLIC_SCHEMA
    budget_seconds: float = DEFAULT_BUDGET_SECONDS

    def set_follow(self, follower_id: UUID, followee_id: UUID, *, follows: bool) -> FollowChange:
        """As in FollowRepository; one transaction."""
        pair = follower_id, followee_id
        is_user = f"EXISTS (SELECT FROM {self.schema['feed_users']} WHERE id = %s)"
        check = f"SELECT {shows_own_table(self.schema, 'feed_follows', 'follows')}, {is_user}, {is_user}"
        try:
            with transaction(self.engine, self.budget_seconds) as connection:
                is_own, knows_follower, knows_followee = connection.exec_driver_sql(check, pair).one()
                if not is_own:
                    raise ManagedElsewhere(
                        "feed_follows: the view shows the table of another application; change the follow there"
                    )
                for user_id, is_known in zip(pair, (knows_follower, knows_followee), strict=True):
                    if not is_known:
                        raise UnknownUser(str(user_id))
                statement = (FOLLOW if follows else UNFOLLOW).format_map(self.schema)
                if not connection.exec_driver_sql(statement, pair).rowcount:
                    return FollowChange(*pair, follows, None)
                # the row that the trigger wrote; changes of one pair wait for each other, so numbers follow their order
                query = f"SELECT max(seq) FROM {self.schema['feed_change']} WHERE xid = pg_current_xact_id()"
                return FollowChange(*pair, follows, connection.exec_driver_sql(query).scalar_one())
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.errors.ForeignKeyViolation):  # deleted after the check
                constraint = error.orig.diag.constraint_name or ""
                raise UnknownUser(str(followee_id if "followee" in constraint else follower_id)) from error
            raise
