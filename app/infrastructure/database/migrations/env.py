"""The environment of Alembic: migrates in one transaction, under a lock against concurrent migrations.

Waiting for a table is limited: behind a migration that waits for a lock, all other queries of the table wait, too.
"""

import sys
from logging.config import fileConfig
from typing import Final

from alembic import context
from sqlalchemy import Connection, text

from app.domain.errors import StorageUnavailable
from app.infrastructure.config.settings import read_settings
from app.infrastructure.database.adoption.warnings import adoption_warnings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.connection import first_line
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.embedded import EmbeddedUnavailable
from app.infrastructure.database.migrate import VERSION_TABLE
from app.infrastructure.database.migrations.concurrent_indexes import build_indexes
from app.infrastructure.database.migrations.engagement_backfill import count_old_events
from app.infrastructure.database.schema import SchemaName
from app.shared.exceptions import ConfigurationError

LOCK_TIMEOUT_SECONDS: Final = 3


def run(connection: Connection, schema: SchemaName) -> None:
    """Build missing indexes, run the migrations in one transaction, then count old events; create a missing schema.

    An advisory lock makes concurrent migrations of one schema wait for each other. A table that another session locks
    for LOCK_TIMEOUT_SECONDS ends the migrations, and nothing is changed; if it ends the counting of old events, the
    next run continues it.
    """
    build_indexes(connection, schema)
    with connection.begin():
        connection.execute(text("SET LOCAL TimeZone TO 'UTC'"))  # no result depends on the server's time zone
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(lock, {"name": f"feed migration {schema}"})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        # CREATE SCHEMA IF NOT EXISTS needs the right to create schemas even if the schema exists
        if connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": str(schema)}) is None:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        context.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            version_table_schema=schema.plain,
            feed_schema=schema.plain,
        )
        context.run_migrations()
        _reset_future_transactions(connection, schema)  # after a restore from a dump of another cluster
    count_old_events(connection, schema, lock_seconds=LOCK_TIMEOUT_SECONDS)


def _reset_future_transactions(connection: Connection, schema: SchemaName) -> None:
    """Set the transaction number of a row to 0 if this cluster has not reached it; every reader has passed 0.

    Such rows come from a dump of a cluster with more transactions. Without the reset, readers would read the rows again
    when this cluster reaches their numbers.
    """
    for table in ("user_interaction", "user_feedback", "feed_change", "feed_change_swept", "impression"):
        if connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": schema[table]}):
            future = "xid >= pg_snapshot_xmax(pg_current_snapshot())"
            connection.execute(text(f"UPDATE {schema[table]} SET xid = '0' WHERE {future}"))


def run_by_command() -> None:
    """Migrate the database of DATABASE_URL or, if it is unset, the embedded one (`python -m alembic ...`)."""
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    settings = read_settings()
    with cli_engine(settings) as engine:
        schema = SchemaName(feed_schema(engine, settings.db_schema).plain)
        with engine.connect() as connection:
            run(connection, schema)
        with engine.connect() as connection:
            for warning in adoption_warnings(connection, schema):
                print(f"warning: {warning}", file=sys.stderr)


if context.is_offline_mode():
    sys.exit("migrations: --sql is not supported, because the migrations read the database that they change")
if (connection := context.config.attributes.get("connection")) is not None:
    run(connection, SchemaName(context.config.attributes["schema"]))
else:
    try:
        run_by_command()
    except (ConfigurationError, EmbeddedUnavailable, StorageUnavailable) as error:
        print(f"migrations: {first_line(error)}", file=sys.stderr)
        sys.exit(2)
