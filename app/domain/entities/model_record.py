"""A version of the model in the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ModelStatus = Literal["active", "inactive", "rejected"]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One version of the model. `metrics` and `config` are plain JSON values.

    created_at  ISO 8601 with time zone
    """

    version: str
    filename: str
    created_at: str
    status: ModelStatus
    sha256: str
    size_bytes: int
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    note: str = ""

    @property
    def text_space_sha256(self) -> str:
        """The SHA-256 of the artefact with the text space: that of the base for a version with weights alone."""
        return str(self._base.get("sha256", self.sha256))

    @property
    def trained_at(self) -> str:
        """The time of the last full training, ISO 8601: that of the base for a version with weights alone."""
        return str(self._base.get("created_at", self.created_at))

    @property
    def _base(self) -> Mapping[str, Any]:
        base = self.config.get("base")
        return base if isinstance(base, Mapping) else {}
