"""Port: published models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

ModelStatus = Literal["active", "inactive", "rejected"]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One line of the registry. `metrics` and `config` are plain JSON values."""

    version: str
    filename: str
    created_at: str
    status: ModelStatus
    sha256: str
    size_bytes: int
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    note: str = ""


class ModelRegistry(Protocol):
    """Versions, which one is active, and their artefacts. Writers exclude each other; readers see no half a write."""

    def records(self) -> tuple[ModelRecord, ...]:
        """All versions, oldest first. Raises InvalidArtifact when the registry file itself is unreadable."""

    def active(self) -> ModelRecord | None:
        """The version that serves."""

    def publish(
        self,
        artifact: Mapping[str, Any],
        *,
        metrics: Mapping[str, Any],
        config: Mapping[str, Any],
        created_at: str,
        status: ModelStatus = "active",
        note: str = "",
    ) -> ModelRecord:
        """Write, sign and register an artefact, whole or not at all; `active` replaces the present one."""

    def load(self, version: str) -> Mapping[str, Any]:
        """The verified artefact. Raises UnknownVersion, InvalidArtifact."""

    def promote(self, version: str) -> ModelRecord | None:
        """Make `version` the active one after verifying its artefact; returns the record that was active before.

        Raises UnknownVersion, InvalidArtifact (also for a `rejected` one)."""
