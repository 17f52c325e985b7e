"""The schema of the service where DB_SCHEMA is unset."""

from typing import Any, Final

from sqlalchemy import Engine, event

from app.infrastructure.database.connection import storage_errors
from app.infrastructure.database.schema import SchemaName

OWN_SCHEMA: Final = "feed"
"""The schema beside the tables of a team in `public`."""

# `feed_change` marks a schema that the migrations filled. Relations of extensions (PostGIS) are nobody's tables.
_CHOICE: Final = f"""
SELECT CASE WHEN NOT in_public AND (in_own OR has_others) THEN '{OWN_SCHEMA}' ELSE 'public' END, in_public OR in_own
FROM (
    SELECT to_regclass('public.feed_change') IS NOT NULL AS in_public,
        to_regclass('{OWN_SCHEMA}.feed_change') IS NOT NULL AS in_own,
        EXISTS (
            SELECT FROM pg_class c WHERE relnamespace = to_regnamespace('public')
            AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> 'feed_alembic_version' AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
            )
        ) AS has_others
) AS found
"""


class DefaultSchema(SchemaName):
    """`public` where it is empty or holds our tables, else `feed`.

    The database decides, so the name is read when a connection is first used, and again with each use of a connection
    until the migrations have run. Reading `plain` before that opens a connection and raises StorageUnavailable if the
    database does not answer.
    """

    _engine: Engine
    _name: str | None
    _is_final: bool

    def __init__(self, engine: Engine) -> None:
        object.__setattr__(self, "_engine", engine)
        object.__setattr__(self, "_name", None)
        object.__setattr__(self, "_is_final", False)
        event.listen(engine, "checkout", self._choose)

    @property
    def plain(self) -> str:
        """The name of the schema. Raises StorageUnavailable."""
        if self._name is None:
            with storage_errors(), self._engine.connect():  # the listener reads the name
                pass
        assert self._name is not None
        return self._name

    def _choose(self, connection: Any, _record: object, _proxy: object) -> None:
        if self._is_final:
            return
        with connection.cursor() as cursor:
            cursor.execute(_CHOICE)
            name, is_final = cursor.fetchone()
        connection.rollback()
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_is_final", is_final)


def feed_schema(engine: Engine, db_schema: str | None) -> SchemaName:
    """Return the schema of the setting DB_SCHEMA; None is the default."""
    return DefaultSchema(engine) if db_schema is None else SchemaName(db_schema)
