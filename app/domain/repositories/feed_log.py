"""Port: reading the feed, once as a whole and then as it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from app.domain.entities import Post, User
from app.domain.feed.history import FeedHistory
from app.domain.repositories.interaction_repository import StoredInteraction


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where a reader stands. Every transaction below `xid` has ended and was read; `source` names the database.

    `detail` is the log's own note of what it delivered at and above `xid`. Hand it back and nothing comes twice;
    leave it out and those rows come again.
    """

    source: str
    xid: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WholeFeed:
    """One consistent read of everything. `recent` are the event numbers in it that `changes` will deliver again."""

    history: FeedHistory
    position: LogPosition
    recent: frozenset[int]


@dataclass(frozen=True, slots=True)
class FeedChanges:
    """What became visible since a position. Rows of transactions that may still be joined by earlier ones come again
    in the next read: events are told apart by `seq`, the rest is idempotent (upserts carry the current row)."""

    users: Sequence[User]
    removed_users: Sequence[UUID]
    posts: Sequence[Post]
    removed_posts: Sequence[UUID]
    follows: Sequence[tuple[UUID, UUID]]
    removed_follows: Sequence[tuple[UUID, UUID]]
    events: Sequence[StoredInteraction]
    position: LogPosition


class FeedLog(Protocol):
    """The database as a feed of changes. All methods raise StorageUnavailable when it misses its budget."""

    def source(self) -> str:
        """Identity of the database and schema; a position of another source means nothing here."""

    def whole(self) -> WholeFeed:
        """Users, posts, follows and events, sorted by (occurred_at, seq), from one snapshot."""

    def changes(self, since: LogPosition) -> FeedChanges:
        """Everything committed since, late commits included (see LogPosition)."""

    def post_ids(self) -> frozenset[UUID]:
        """All posts that exist now: lets a reader drop what vanished without a trace (tables without our triggers)."""

    def posts_created_since(self, created: float) -> Sequence[Post]:
        """Posts created at or after that time, oldest first: how posts of tables without our triggers are found."""
