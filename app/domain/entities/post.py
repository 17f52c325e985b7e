"""A post of the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Post:
    """A post as the feed sees it; `seq` is its dense number in the database, `author_id` None when unknown."""

    id: UUID
    external_id: str
    author_id: UUID | None
    created_at: datetime
    seq: int
    content: str = ""
    tags: tuple[str, ...] = ()
    visible: bool = True

    def __post_init__(self) -> None:
        if self.created_at.utcoffset() is None:
            raise ValueError("created_at must carry a time zone")
        if self.seq < 0:
            raise ValueError(f"seq must not be negative, got {self.seq}")


def post_text(content: str, tags: Sequence[str]) -> str:
    """The text of a post as the space reads it: its words and, each as one more word, its tags."""
    return " ".join([content, *tags])
