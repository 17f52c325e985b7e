"""Where the service gets its model: the registry's active version, or one artefact file."""

from dataclasses import dataclass
from pathlib import Path

from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry


@dataclass(frozen=True, slots=True)
class RegistryModelSource:
    """ModelSource of the active version of a registry."""

    registry: FileModelRegistry

    def fingerprint(self) -> object:
        """Return a value that changes when the registry file is replaced."""
        return self.registry.fingerprint()

    def fetch(self) -> PublishedModel | None:
        """Load the active version; None if there is none. Raises InvalidArtifact, ModelUnavailable."""
        record = self.registry.active()
        if record is None:
            return None
        return PublishedModel(record, ServedModel.from_artifact(self.registry.load(record.version)))


@dataclass(frozen=True, slots=True)
class FileModelSource:
    """ModelSource of one artefact, which is loaded once: MODEL_PATH switches hot reload off."""

    registry: FileModelRegistry
    path: Path

    def fingerprint(self) -> object:
        return self.path

    def fetch(self) -> PublishedModel | None:
        """Load the artefact. Raises InvalidArtifact, ModelUnavailable."""
        record, artifact = self.registry.load_file(self.path)
        return PublishedModel(record, ServedModel.from_artifact(artifact))
