"""What Alembic runs: one transaction, under a lock that keeps two migrations of a schema apart."""

import sys
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection, text

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.infrastructure.database.migrate import VERSION_TABLE, MigrationRefused
from app.infrastructure.database.schema import SchemaName
from app.shared.exceptions import ConfigurationError


def run(connection: Connection, schema: SchemaName) -> None:
    with connection.begin():
        connection.execute(text("SET LOCAL TimeZone TO 'UTC'"))
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
            {"name": f"feed migration {schema}"},
        )
        # asked first: CREATE SCHEMA IF NOT EXISTS needs the right to create schemas even where it would do nothing
        if connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": str(schema)}) is None:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        context.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            version_table_schema=schema.plain,
            feed_schema=schema.plain,
        )
        context.run_migrations()
        _disown_foreign_transactions(connection, schema)


def _disown_foreign_transactions(connection: Connection, schema: SchemaName) -> None:
    """Rows of a dump that was restored into a younger cluster carry transaction numbers that are yet to come here.

    A reader would meet them again when the cluster gets there; number 0 is behind every reader.
    """
    for table in ("user_interaction", "feed_change", "feed_change_swept"):
        if connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": schema[table]}):
            future = "xid >= pg_snapshot_xmax(pg_current_snapshot())"
            connection.execute(text(f"UPDATE {schema[table]} SET xid = '0' WHERE {future}"))


def run_by_command() -> None:
    """`python -m alembic ...`: the database of DATABASE_URL, else the embedded one, which runs as long as this."""
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    settings = read_settings()
    with cli_engine(settings) as engine, engine.connect() as connection:
        run(connection, SchemaName(settings.db_schema))


if context.is_offline_mode():
    sys.exit("migrations: they look at the database they change, so --sql is not supported")
if (given := context.config.attributes.get("connection")) is not None:
    run(given, SchemaName(context.config.attributes["schema"]))
else:
    try:
        run_by_command()
    except (ConfigurationError, EmbeddedUnavailable, MigrationRefused, StorageUnavailable) as error:
        print(f"migrations: {str(error).strip().partition(chr(10))[0]}", file=sys.stderr)
        sys.exit(2)
