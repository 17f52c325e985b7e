"""What a user did with a post."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

InteractionType = Literal["view", "click", "like", "comment", "share"]
INTERACTION_TYPES: tuple[InteractionType, ...] = get_args(InteractionType)
"""All types; a type's code in arrays is its position here."""

MAX_METADATA_BYTES = 4096
"""Of the caller."""
ADDED_METADATA_BYTES = 64
"""Room for what the service adds."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One event. `occurred_at` is aware; `event_id` makes a second delivery of the same event harmless."""

    user_id: UUID
    post_id: UUID
    interaction_type: InteractionType
    occurred_at: datetime
    event_id: UUID | None = None
    request_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.interaction_type not in INTERACTION_TYPES:
            raise ValueError(
                f"interaction_type must be one of {INTERACTION_TYPES}, got {self.interaction_type!r}"
            )
        if self.occurred_at.utcoffset() is None:
            raise ValueError("occurred_at must carry a time zone")
        compact = json.dumps(self.metadata, ensure_ascii=False, separators=(",", ":"))
        if len(compact.encode()) > MAX_METADATA_BYTES + ADDED_METADATA_BYTES:
            raise ValueError(f"metadata must be at most {MAX_METADATA_BYTES} bytes of JSON")
