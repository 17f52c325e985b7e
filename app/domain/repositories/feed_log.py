"""Port: reading the feed, once as a whole and then as it changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities import Post, User
from app.domain.feed.dataset import NO_PARTS, EventParts, FeedDataset
from app.domain.feed.embeddings import PostVectors
from app.domain.feed.live_posts import LivePostLimits
from app.domain.feed.row_checksums import (
    Checksums,
    ChecksumSums,
    EventChecksums,
    FeedChecksums,
    RowChecksums,
    UnchangedRows,
)
from app.domain.feed.shown_pages import ShownPage, record_pages
from app.domain.feed.state import FeedState
from app.domain.feed.state_filling import fill_state
from app.domain.feed.timeline import FeedTimeline
from app.domain.repositories.control_repository import UserControls
from app.domain.repositories.interaction_repository import (
    RemovedEvents,
    StoredInteraction,
    UserAndPost,
)


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
class FeedSnapshot:
    """One consistent read of everything, or of the live posts (see FeedLog.read_all and read_into).

    `recent` are the event numbers in it that `read_changes` will deliver again.
    """

    dataset: FeedDataset
    position: LogPosition
    recent: frozenset[int]
    controls: Sequence[UserControls] = ()
    pages: Sequence[ShownPage] = ()
    """The newest pages that were shown to users, oldest first."""
    checksums: FeedChecksums | None = None
    """Of all rows in the dataset but events."""
    event_checksums: EventChecksums = field(default_factory=EventChecksums)
    """Of all events of the log, also of those with posts that were not read. The state has them afterwards."""
    complete_from: tuple[float, int] | None = None
    """As in FeedState."""

    event_parts: EventParts = NO_PARTS
    """Of a read into a state: the events, with the dataset's rows of posts and the state's rows of users."""

    def to_state(self, timeline: FeedTimeline) -> FeedState:
        """The state of what `read_all` read; `timeline` holds `dataset` and has applied nothing yet."""
        state = timeline.apply_all()
        self._complete(state)
        return state

    def fill(self, state: FeedState, vectors: PostVectors, idle_seconds: float) -> None:
        """Fill `state` with what `read_into` read, which gave it the users. `vectors` are those of the posts.

        Users who did nothing for `idle_seconds` before the last event are away.
        """
        fill_state(state, self.dataset, self.event_parts, vectors, idle_seconds)
        self._complete(state)

    def _complete(self, state: FeedState) -> None:
        """Add what a dataset lacks."""
        if self.checksums is not None:
            events = self.event_checksums
            state.checksums = RowChecksums.of(self.checksums, events, state.user_rows, state.post_rows)
        if self.complete_from is not None:
            state.complete_from, state.n_events = self.complete_from, self.event_checksums.count()
        for controls in self.controls:
            state.set_controls(controls.user_id.bytes, controls.controls, controls.seq)
        record_pages(state, self.pages)


@dataclass(frozen=True, slots=True)
class FeedChanges:
    """The changes since a position.

    A read returns rows again while an earlier transaction may still commit. Events differ by `seq`, and all other
    changes are idempotent, because upserts contain the current row.
    """

    users: Sequence[User]
    removed_users: Sequence[UUID]
    posts: Sequence[Post]
    removed_posts: Sequence[UUID]
    follows: Sequence[tuple[UUID, UUID]]
    removed_follows: Sequence[tuple[UUID, UUID]]
    events: Sequence[StoredInteraction]
    removed_events: Sequence[RemovedEvents]
    controls: Sequence[UserControls]
    """The present controls of each user whose controls changed."""
    position: LogPosition
    follow_seqs: Mapping[tuple[UUID, UUID], int] = field(default_factory=dict)
    """Number of the latest change of each pair in `follows` and `removed_follows`."""
    user_seqs: Mapping[UUID, int] = field(default_factory=dict)
    """Number in the outbox of the latest change of each of `users`."""
    post_seqs: Mapping[UUID, int] = field(default_factory=dict)
    """Number in the outbox of the latest change of each of `posts` and `removed_posts`."""
    more: bool = False
    """True if the read reached its limit: the next read continues towards the same database snapshot."""
    is_read_only: bool = False
    """True if the database rejects writes now."""
    pages: Sequence[ShownPage] = ()
    """Pages that were shown to users, or whose posts were reported as seen."""
    removed_pages: Sequence[UUID] = ()
    """Users of whom pages were removed; `pages` contains the newest of those that are left."""
    checksums: FeedChecksums = field(default_factory=FeedChecksums)
    """Of the changed rows; 0 for removed ones."""

    @property
    def is_empty(self) -> bool:
        """True if nothing changed."""
        upserts = self.users or self.posts or self.follows
        removals = self.removed_users or self.removed_posts or self.removed_follows or self.removed_pages
        return not (upserts or removals or self.events or self.removed_events or self.controls or self.pages)


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """The rows of the database whose sums of checksums differ from those of a reader.

    by_kind       all rows of each kind (UUID_KINDS) that differs, or may differ
    event_blocks  numbers of the blocks of events that differ
    events        all events in these blocks
    event_users   (n_events,) user UUIDs (V16) of `events`
    event_posts   (n_events,) post UUIDs (V16) of `events`
    complete      False if so many blocks of events differ that their events were not read
    """

    by_kind: Mapping[str, Checksums]
    event_blocks: Sequence[int]
    events: Checksums
    event_users: NDArray[np.void]
    event_posts: NDArray[np.void]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class RowKeys:
    """Keys of rows to read, each with the number of its latest change, which orders changes of one key.

    followers  users of whom all follows are read
    pages      users of whom all pages are read, because some were removed
    events     numbers of events that were removed or changed, by user and post
    numbers    further events whose checksums are read
    """

    users: dict[UUID, int] = field(default_factory=dict)
    posts: dict[UUID, int] = field(default_factory=dict)
    follows: dict[tuple[UUID, UUID], int] = field(default_factory=dict)
    followers: set[UUID] = field(default_factory=set)
    pages: set[UUID] = field(default_factory=set)
    controls: dict[UUID, int] = field(default_factory=dict)
    events: dict[UserAndPost, list[int]] = field(default_factory=dict)
    numbers: Sequence[int] = ()


class FeedLog(Protocol):
    """The database as a feed of changes. All methods raise StorageUnavailable when it misses its budget."""

    def source(self) -> str:
        """Identity of the database and schema; a position of another source means nothing here."""

    def read_all(self, *, embeddings: bool = True) -> FeedSnapshot:
        """Users, posts, follows and events, sorted by (occurred_at, seq), from one snapshot.

        `embeddings`: whether those of posts are read.
        """

    def read_into(
        self, state: FeedState, live_posts: LivePostLimits | None = None, *, embeddings: bool = True
    ) -> FeedSnapshot:
        """As `read_all`, with a part of the users and events in memory at a time (see FeedSnapshot.fill).

        The users, and their settings, go into `state`, which is empty. `live_posts` may skip posts that are not live,
        and their events, if they are many; None reads every post.
        """

    def read_changes(self, since: LogPosition) -> FeedChanges:
        """Everything committed since, late commits included (see LogPosition).

        Raises PositionExpired when the log is no longer kept from there on, or all events were removed at once.
        """

    def can_resume_from(self, since: LogPosition) -> bool:
        """Whether a state at `since`, and `read_changes`, give the present feed.

        False for a position of another database, for an expired position, and if changes are not captured completely
        (see `has_complete_change_capture`). Events that were removed without a trigger are found by a comparison.
        """

    def has_complete_change_capture(self) -> bool:
        """True if `read_changes` returns every change of a user, post or follow. Adopted tables have no triggers."""

    def different_rows(
        self, known: ChecksumSums, unchanged: Callable[[], Mapping[str, UnchangedRows]]
    ) -> StoredRows:
        """Compare the rows with those of a reader, to find changes that no trigger captured.

        unchanged  is called once if sums differ. The reader then has all changes of the log up to now, and returns what
                   stayed the same since `known` (see RowChecksums): only a difference in it is one.
        """

    def read_rows(self, keys: RowKeys, position: LogPosition) -> FeedChanges:
        """The present rows of `keys` as changes. Their position is `position`."""

    def posts_created_since(self, created: float) -> Sequence[Post]:
        """Posts created at or after a time, oldest first; also those that no trigger captured."""

    def warnings(self) -> Sequence[str]:
        """Short texts about tables of a team that have rows of which the feed shows nothing."""

    def purge(self, older_than: timedelta) -> int:
        """Remove changes, but no events, that are older than `older_than` (at least an hour); return their number.

        A later read from an older position raises PositionExpired.
        """
