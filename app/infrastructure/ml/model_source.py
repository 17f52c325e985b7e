"""Where the service gets its model: the registry's active version, or one artefact file."""

from pathlib import Path

from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry


class RegistryModelSource:
    """ModelSource of the active version of a registry."""

    def __init__(self, registry: FileModelRegistry) -> None:
        self._registry = registry

    def fingerprint(self) -> object:
        """Return a value that changes when the registry file is replaced."""
        return self._registry.fingerprint()

    def fetch(self) -> PublishedModel | None:
        """Load the active version; None if there is none. Raises InvalidArtifact, ModelUnavailable."""
        record = self._registry.active()
        if record is None:
            return None
        return PublishedModel(record, ServedModel.from_artifact(self._registry.load(record.version)))


class FileModelSource:
    """ModelSource of one artefact, which is loaded once: MODEL_PATH switches hot reload off."""

    def __init__(self, registry: FileModelRegistry, path: Path) -> None:
        self._registry = registry
        self._path = path

    def fingerprint(self) -> object:
        """Return a constant."""
        return self._path

    def fetch(self) -> PublishedModel | None:
        """Load the artefact. Raises InvalidArtifact, ModelUnavailable."""
        record, artifact = self._registry.load_file(self._path)
        return PublishedModel(record, ServedModel.from_artifact(artifact))
