"""What the repositories over PostgreSQL have in common."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.domain.errors import UnknownUser
from app.infrastructure.database.connection import DEFAULT_BUDGET_SECONDS, transaction
from app.infrastructure.database.schema import OWNER_MARK, PUBLIC_SCHEMA, SchemaName


@dataclass(frozen=True, slots=True)
class SqlRepository:
    """A repository over the tables and views of `schema`. Each call is one transaction of at most `budget_seconds`."""

    engine: Engine
    schema: SchemaName = PUBLIC_SCHEMA
    budget_seconds: float = DEFAULT_BUDGET_SECONDS

    def transaction(self, *, snapshot: bool = False) -> AbstractContextManager[Connection]:
        """See `connection.transaction`."""
        return transaction(self.engine, self.budget_seconds, snapshot=snapshot)

    def require_user(self, connection: Connection, user_id: UUID) -> None:
        """Raise UnknownUser if the view feed_users does not show the user."""
        query = f"SELECT EXISTS (SELECT FROM {self.schema['feed_users']} WHERE id = %s)"
        if not connection.exec_driver_sql(query, (user_id,)).scalar_one():
            raise UnknownUser(str(user_id))

    def shows_own_table(self, view: str, table: str) -> str:
        """Return an SQL condition: the migrations created `table`, and `view` selects from it.

        Only then does the view show what the service writes. It reads a few rows of the catalogue by index.
        """
        own, shown = (f"to_regclass('{self.schema[name]}')" for name in (table, view))
        return (
            f"coalesce(obj_description({own}, 'pg_class') = '{OWNER_MARK}', false) AND EXISTS ("
            "SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
            f"WHERE r.ev_class = {shown} AND d.refclassid = 'pg_class'::regclass AND d.refobjid = {own})"
        )
