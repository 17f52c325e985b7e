"""MembershipRepository over PostgreSQL."""

from typing import Final
from uuid import UUID

import psycopg2.errors
from sqlalchemy.exc import DBAPIError

from app.domain.errors import ManagedElsewhere, UnknownUser
from app.domain.repositories.membership_repository import UserChange
from app.infrastructure.database.sql_repository import SqlRepository
from app.infrastructure.database.user_rows import read_users

JOIN: Final = "INSERT INTO {memberships} (user_id, audience_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
LEAVE: Final = "DELETE FROM {memberships} WHERE user_id = %s AND audience_id = %s"


class SqlMembershipRepository(SqlRepository):
    """MembershipRepository over the table memberships."""

    def set_membership(self, user_id: UUID, audience_id: str, *, is_member: bool) -> UserChange:
        """As in MembershipRepository; one transaction. Calls for the same user wait for each other."""
        is_own = f"SELECT {self.shows_own_table('feed_memberships', 'memberships')}"
        try:
            with self.transaction() as connection:
                if not connection.exec_driver_sql(is_own).scalar_one():
                    raise ManagedElsewhere(
                        "feed_memberships: the view shows the table of another application; change the membership there"
                    )
                connection.exec_driver_sql(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                    (f"feed memberships {self.schema} {user_id}",),
                )
                if not read_users(connection, self.schema, [user_id]):
                    raise UnknownUser(str(user_id))
                statement = (JOIN if is_member else LEAVE).format_map(self.schema)
                changed = connection.exec_driver_sql(statement, (user_id, audience_id)).rowcount
                # the row that the trigger wrote
                query = f"SELECT max(seq) FROM {self.schema['feed_change']} WHERE xid = pg_current_xact_id()"
                seq = connection.exec_driver_sql(query).scalar_one() if changed else None
                [user] = read_users(connection, self.schema, [user_id])
                return UserChange(user, seq)
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.errors.ForeignKeyViolation):  # deleted after the check
                raise UnknownUser(str(user_id)) from error
            raise
