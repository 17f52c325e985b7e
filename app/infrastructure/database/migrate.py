"""Migrations from a program, and which database a command of this repository means."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from app.infrastructure.database.schema import SchemaName

VERSION_TABLE: Final = "feed_alembic_version"
"""Not Alembic's default name: in a schema that is shared, that one may be the team's own."""

MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationRefused(Exception):
    """The schema holds something that migrations would have to alter; the message says what to do."""


def migrate(engine: Engine, schema: SchemaName, revision: str = "head") -> None:
    """Bring `schema` to a revision: "head", "base" or a number. Raises MigrationRefused; all or nothing."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes.update(connection=connection, schema=schema.plain)
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)
