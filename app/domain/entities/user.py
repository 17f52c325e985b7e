"""A member of the social product."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may ask for a feed."""

    id: UUID
    external_id: str

    def __post_init__(self) -> None:
        if not self.external_id:
            raise ValueError("external_id must not be empty")
