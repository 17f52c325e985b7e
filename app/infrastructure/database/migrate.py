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
    """Bring `schema` to a revision ("head", "base" or a number) in one transaction. Raises MigrationRejected."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes.update(connection=connection, schema=schema.plain)
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)
