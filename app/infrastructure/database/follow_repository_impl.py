"""FollowRepository over PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import psycopg2.errors
from sqlalchemy.exc import DBAPIError

from app.domain.errors import ManagedElsewhere, UnknownUser
from app.domain.repositories.follow_repository import FollowChange
from app.infrastructure.database.sql_repository import SqlRepository

FOLLOW: Final = """
INSERT INTO {follows} (follower_id, followee_id, created_at) VALUES (%s, %s, now()) ON CONFLICT DO NOTHING
"""
UNFOLLOW: Final = "DELETE FROM {follows} WHERE follower_id = %s AND followee_id = %s"


class SqlFollowRepository(SqlRepository):
    """FollowRepository over the view feed_follows, and the table follows for changes."""

    def followed_by(self, user_id: UUID, limit: int) -> Sequence[UUID]:
        query = f"SELECT followee_id FROM {self.schema['feed_follows']} WHERE follower_id = %s ORDER BY 1 LIMIT %s"
        with self.transaction() as connection:
            return connection.exec_driver_sql(query, (user_id, limit)).scalars().all()

    def external_ids(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """As in FollowRepository, of the users whom the view feed_users shows."""
        query = f"SELECT id, coalesce(external_id::text, id::text) FROM {self.schema['feed_users']} WHERE id = ANY(%s)"
        with self.transaction() as connection:
            return dict(map(tuple, connection.exec_driver_sql(query, (list(user_ids),))))

    def set_follow(self, follower_id: UUID, followee_id: UUID, *, follows: bool) -> FollowChange:
        pair = follower_id, followee_id
        is_user = f"EXISTS (SELECT FROM {self.schema['feed_users']} WHERE id = %s)"
        check = f"SELECT {self.shows_own_table('feed_follows', 'follows')}, {is_user}, {is_user}"
        try:
            with self.transaction() as connection:
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
