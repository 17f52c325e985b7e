"""Runs the migrations from a program."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from app.infrastructure.database.schema import SchemaName
from app.shared.exceptions import ConfigurationError

VERSION_TABLE: Final = "feed_alembic_version"
"""Differs from Alembic's default name, which another application in the same schema may use."""

MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationRejected(ConfigurationError):
    """The schema has a table that the migrations must not alter; the message names the remedy."""


def migrate(engine: Engine, schema: SchemaName, revision: str = "head") -> None:
    """Upgrade `schema` to `revision`, "head" or a number such as "0003"; "base" removes all that was created.

    It runs in one transaction (`migrations/env.py`). Raises MigrationRejected if the schema already has a table of
    another application with the name of one of the service's own tables.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes.update(connection=connection, schema=schema.plain)
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)
