"""Where the service gets its model: the registry's versions, or one artefact file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.domain.entities.model_record import Channel, ModelRecord
from app.domain.errors import InvalidArtifact, UnknownVersion
from app.domain.ranking.model_interface import PublishedModel
from app.infrastructure.ml.model_loader import ServedModel
from app.infrastructure.ml.registry.file_registry import FileModelRegistry
from app.infrastructure.ml.registry.weights import is_weights


@dataclass(frozen=True, slots=True)
class RegistryModelSource:
    """ModelSource of a registry: its active version, then those that were active before."""

    registry: FileModelRegistry
    _complete: dict[str, ServedModel] = field(default_factory=dict, init=False, repr=False)
    """The complete model that was loaded last, by the SHA-256 of its artefact.

    The next weights complete it, and variants may rank with it.
    """

    def fingerprint(self) -> object:
        """Return a value that changes when the registry file is replaced."""
        return self.registry.fingerprint()

    def candidates(self) -> Sequence[ModelRecord]:
        """As in ModelSource."""
        return self.registry.candidates()

    def rolled_back(self) -> Sequence[ModelRecord]:
        """As in ModelSource."""
        return self.registry.rolled_back()

    def fetch(self, candidate: ModelRecord) -> PublishedModel:
        """As in ModelSource."""
        self.registry.check(candidate.version)
        if (complete := self._complete.get(candidate.sha256)) is not None:
            return PublishedModel(candidate, complete)
        artifact = self.registry.load_stored(candidate.version)
        if not is_weights(artifact):
            return PublishedModel(candidate, self._complete_model(candidate, artifact))
        record = self.registry.base(candidate.version)
        base = self._complete.get(record.sha256)
        if base is None:
            base = self._complete_model(record, self.registry.load_stored(record.version))
        return PublishedModel(candidate, base.with_weights(artifact))

    def _complete_model(self, record: ModelRecord, artifact: Mapping[str, Any]) -> ServedModel:
        model = ServedModel.from_artifact(artifact)
        self._complete.clear()
        self._complete[record.sha256] = model
        return model

    def channel_record(self, channel: Channel, served: ModelRecord) -> ModelRecord:
        """As in ModelSource."""
        return self.registry.channel_record(channel, served)

    def fetch_version(self, version: str) -> PublishedModel:
        """As in ModelSource."""
        record = self.registry.record(version)
        if record.status == "rejected":
            raise InvalidArtifact(f"{version} was rejected: {record.note}")
        return self.fetch(record)


@dataclass(frozen=True, slots=True)
class FileModelSource:
    """ModelSource of one artefact, which is loaded once: MODEL_PATH switches hot reload off."""

    registry: FileModelRegistry
    path: Path

    def fingerprint(self) -> object:
        return self.path

    def candidates(self) -> Sequence[ModelRecord]:
        """The model of the file."""
        return (self.registry.file_record(self.path),)

    def rolled_back(self) -> Sequence[ModelRecord]:
        """A file has no versions before it."""
        return ()

    def fetch(self, candidate: ModelRecord) -> PublishedModel:  # noqa: ARG002  there is one
        """As in ModelSource."""
        record, artifact = self.registry.load_file(self.path)
        return PublishedModel(record, ServedModel.from_artifact(artifact))

    def channel_record(self, channel: Channel, served: ModelRecord) -> ModelRecord:  # noqa: ARG002
        """Continuous training publishes to a registry."""
        raise UnknownVersion(
            f"channel {channel!r}: MODEL_PATH is set; unset it to serve versions of the registry"
        )

    def fetch_version(self, version: str) -> PublishedModel:
        """There is no other version than that of the file."""
        raise UnknownVersion(f"{version}: MODEL_PATH is set; unset it to serve versions of the registry")
