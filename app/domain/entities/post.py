"""A post of the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

Visibility = Literal["public", "followers", "members"]
VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
"""Who may see a post: everybody, followers of its author, or members of its audience. The author always may."""


@dataclass(frozen=True, slots=True)
class Post:
    """A post as the feed sees it.

    author_id    None if it is unknown
    seq          dense number in the database
    visibility   one of VISIBILITIES; a post with any other value is shown to nobody
    audience_id  the audience of a post for members
    language     BCP 47 tag that the author declared; None if there is none
    root_id      first post of the thread, None for a post that is no reply
    repost_of    the original of a repost
    embedding    unit vector of the team's own, float16 values as bytes; None if there is none
    """

    id: UUID
    external_id: str
    author_id: UUID | None
    created_at: datetime
    seq: int
    content: str = ""
    tags: tuple[str, ...] = ()
    visible: bool = True
    visibility: str = "public"
    audience_id: str | None = None
    language: str | None = None
    sensitive: bool = False
    root_id: UUID | None = None
    repost_of: UUID | None = None
    embedding: bytes | None = None

    def __post_init__(self) -> None:
        if self.created_at.utcoffset() is None:
            raise ValueError("created_at must carry a time zone")
        if self.seq < 0:
            raise ValueError(f"seq must not be negative, got {self.seq}")


def post_text(content: str, tags: Sequence[str]) -> str:
    """The text of a post as the space reads it: its words and, each as one more word, its tags."""
    return " ".join([content, *tags])
