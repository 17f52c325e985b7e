"""Port: users and posts, written by callers who have no tables of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.entities import Post, User
from app.domain.repositories.interaction_repository import RemovedEvents

Fields = Mapping[str, object]
"""Columns of a user or a post, and their values: what JSON can hold, and times. All others stay as they are."""


@dataclass(frozen=True, slots=True)
class EntityChange:
    """Users and posts after a committed change, as a read of the log returns them later.

    user_seqs, post_seqs  number in the outbox of the latest change of each user and each written or removed post; 0 if
                          the row was so before
    """

    users: Sequence[User] = ()
    posts: Sequence[Post] = ()
    removed_posts: Sequence[UUID] = ()
    removed_events: Sequence[RemovedEvents] = ()
    user_seqs: Mapping[UUID, int] = field(default_factory=dict)
    post_seqs: Mapping[UUID, int] = field(default_factory=dict)


class EntityRepository(Protocol):
    """Users and posts, written. Ids are valid and in the caller's spelling; so are those in `fields`.

    `now` is the time of a new row whose `created_at` is not given.
    All methods return after the commit. They raise ManagedElsewhere if another application stores the rows, and
    StorageUnavailable.
    """

    def put_user(self, user_id: str, fields: Fields, now: datetime) -> EntityChange:
        """Create a user, or change the given fields. Raises ErasedUser."""

    def put_posts(self, posts: Sequence[tuple[str, Fields]], now: datetime) -> EntityChange:
        """Create posts, or change the given fields, all or none. Authors without a row get one.

        Raises InvalidPost if two entries are the same post, if a post for members has no audience, or if an author was
        erased.
        """

    def delete_post(self, post_id: str) -> EntityChange:
        """Delete a post with its events; no error if there is none."""
