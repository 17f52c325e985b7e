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
