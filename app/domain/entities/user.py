"""A member of the social product."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may ask for a feed.

    created_at      aware time of the sign-up; None: unknown
    discoverable    False: only followers get the user's posts
    personalised    False: the user's own events do not rank the user's feed
    languages       BCP 47 tags of the languages that the user reads; none: all languages
    show_sensitive  whether the user wants to see sensitive posts
    audiences       audiences that the user is a member of
    tags, authors   interests that the user declared
    """

    id: UUID
    external_id: str
    created_at: datetime | None = None
    discoverable: bool = True
    personalised: bool = True
    languages: tuple[str, ...] = ()
    show_sensitive: bool = False
    audiences: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[UUID, ...] = ()

    def __post_init__(self) -> None:
        if not self.external_id:
            raise ValueError("external_id must not be empty")
        if self.created_at is not None and self.created_at.utcoffset() is None:
            raise ValueError("created_at must carry a time zone")
