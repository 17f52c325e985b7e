"""Deletes the versions of models that may hold users who were erased: an artefact has the ids of users with events."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.domain.entities.model_record import ModelRecord
from app.infrastructure.config.settings import Settings
from app.infrastructure.database.cli_connection import cli_engine
from app.infrastructure.database.default_schema import feed_schema
from app.infrastructure.database.tombstones import last_erasure
from app.infrastructure.ml.registry.file_registry import FileModelRegistry

_DAY: Final = timedelta(days=1)
"""Bound of the time from the read of a feed to its version, and of the time to the next training."""


@dataclass(frozen=True, slots=True)
class DeletedVersions:
    """What was deleted, and the active version if it should have been: services would lose their model."""

    deleted: tuple[ModelRecord, ...] = ()
    outdated: ModelRecord | None = None

    @property
    def warning(self) -> str | None:
        """What to do about the active version."""
        if self.outdated is None:
            return None
        version = self.outdated.version
        return f"{version} is active and may hold erased users; train again, or promote a newer version"


def delete_erased_versions(registry: FileModelRegistry, settings: Settings) -> DeletedVersions:
    """Delete the versions that may hold a user whose erasure is ERASURE_DAYS old before the next training.

    Raises the errors of `cli_engine`, InvalidArtifact and ModelUnavailable.
    """
    with cli_engine(settings) as engine, engine.connect() as connection:
        schema = feed_schema(engine, settings.db_schema)
        age = timedelta(days=settings.erasure_days) - _DAY
        erased_at = last_erasure(connection, schema, age)
    if erased_at is None:
        return DeletedVersions()
    deleted = registry.remove_made_before(erased_at + _DAY)
    active = registry.active()
    is_outdated = active is not None and datetime.fromisoformat(active.trained_at) < erased_at + _DAY
    return DeletedVersions(deleted, active if is_outdated else None)
