"""A version of the model in the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

ModelStatus = Literal["active", "inactive", "rejected"]
Channel = Literal["full", "continuous"]
"""Who makes versions: full trainings, or continuous training, which publishes weights over one of those."""
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)


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
    def identity(self) -> tuple[str, str]:
        """The version and its hash: a registry that is created again restarts at v1."""
        return self.version, self.sha256

    @property
    def channel(self) -> Channel:
        """The channel of a version with weights alone is `continuous`."""
        return "continuous" if self._base else "full"

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
