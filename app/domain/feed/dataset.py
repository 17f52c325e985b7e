"""A whole feed in columns, the form that feed files, the generator, the database and the replay share.

`user`, `post`, `author` and the ends of a follow are row numbers of the same dataset. Fields ending in `_us` are int64
microseconds since the Unix epoch, UTC, NO_TIME where there is no time; the properties `created`, `since` and `time`
give the same in float64 seconds, NaN where there is no time. Keys are the 16 bytes of a UUID (dtype ``V16``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.entities.control import Control

KEY_DTYPE = np.dtype("V16")
NO_TIME: Final = int(np.iinfo(np.int64).min)
"""Marks a missing time, like numpy's NaT and PostgreSQL's -infinity."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid_keys(ids: Iterable[UUID]) -> NDArray[np.void]:
    """UUIDs as a (n,) ``V16`` array."""
    return np.frombuffer(b"".join(one.bytes for one in ids), dtype=KEY_DTYPE)


def microseconds(time: datetime) -> int:
    """Microseconds since the Unix epoch of an aware datetime."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def time_of(time_us: int) -> datetime | None:
    """The aware datetime of microseconds since the Unix epoch; None for NO_TIME."""
    return None if time_us == NO_TIME else _EPOCH + timedelta(microseconds=time_us)


def _seconds(time_us: NDArray[np.int64]) -> NDArray[np.float64]:
    seconds: NDArray[np.float64] = time_us / 1e6
    seconds[time_us == NO_TIME] = np.nan
    return seconds


@dataclass(frozen=True, eq=False)
class UserColumns:
    """(n_users,) users. The first three optional columns are only loaded into a database.

    The others are as in User; None: every user has the default.
    """

    key: NDArray[np.void]
    external_id: Sequence[str]  # or a StringDType array, where millions are read
    username: Sequence[str | None] | None = None
    follower_count: NDArray[np.int64] | None = None  # -1 unknown
    created_us: NDArray[np.int64] | None = None  # of the account
    discoverable: NDArray[np.bool_] | None = None
    personalised: NDArray[np.bool_] | None = None
    show_sensitive: NDArray[np.bool_] | None = None
    languages: list[tuple[str, ...]] | None = None

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, rows: NDArray[np.intp]) -> "UserColumns":
        columns: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        chosen: dict[str, Any] = {
            name: column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]
            for name, column in columns.items()
            if column is not None
        }
        return UserColumns(**chosen)

    @cached_property
    def created(self) -> NDArray[np.float64]:
        """Creation times of the accounts in seconds."""
        return np.full(len(self.key), np.nan) if self.created_us is None else _seconds(self.created_us)


NO_USERS: Final = UserColumns(np.empty(0, KEY_DTYPE), [])


@dataclass(frozen=True, eq=False)
class PostColumns:
    """(n_posts,) posts. The counts and `reply_to` are only loaded into a database.

    The columns from `visibility` on are as in Post; None: every post has the default. `reply_to`, `root_id` and
    `repost_of` hold UUIDs of posts that the dataset may lack. `embedding` (n_posts, d) is 0 where a post has none, and
    None if no post has one.
    """

    key: NDArray[np.void]
    external_id: list[str]
    author: NDArray[np.int32]  # row of users, -1 unknown
    created_us: NDArray[np.int64]
    visible: NDArray[np.bool_]
    seq: NDArray[np.int64]
    text: list[str]
    tags: list[tuple[str, ...]]
    like_count: NDArray[np.int64] | None = None  # -1 unknown
    comment_count: NDArray[np.int64] | None = None  # -1 unknown
    visibility: list[str] | None = None
    audience_id: list[str | None] | None = None
    language: list[str | None] | None = None
    sensitive: NDArray[np.bool_] | None = None
    reply_to: list[UUID | None] | None = None
    root_id: list[UUID | None] | None = None
    repost_of: list[UUID | None] | None = None
    embedding: NDArray[np.float16] | None = None

    def __len__(self) -> int:
        return len(self.key)

    @cached_property
    def created(self) -> NDArray[np.float64]:
        """Creation times in seconds."""
        return _seconds(self.created_us)


@dataclass(frozen=True, eq=False)
class FollowColumns:
    """(n_follows,) distinct edges between two different users."""

    follower: NDArray[np.int32]
    followee: NDArray[np.int32]
    since_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.follower)

    @cached_property
    def since(self) -> NDArray[np.float64]:
        """Times of the follows in seconds."""
        return _seconds(self.since_us)


@dataclass(frozen=True, eq=False)
class EventColumns:
    """(n_events,) interactions, sorted by time; events of one time keep the order of their source.

    `event_id` and `metadata` (JSON objects as text, "{}" for none) are only loaded into a database. `received_us` is
    the time of receipt; None if it is the event's own time.
    """

    user: NDArray[np.int32]
    post: NDArray[np.int32]
    kind: NDArray[np.uint8]  # position in INTERACTION_TYPES
    time_us: NDArray[np.int64]
    seq: NDArray[np.int64]  # number in the log, 0 where the source has none
    event_id: NDArray[np.void] | None = None
    metadata: NDArray[np.object_] | None = None
    received_us: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> "EventColumns":
        columns: list[NDArray[Any] | None] = [getattr(self, name) for name in self.__dataclass_fields__]
        return EventColumns(*(None if column is None else column[rows] for column in columns))  # type: ignore[arg-type]

    @classmethod
    def concatenate(cls, parts: Sequence["EventColumns"]) -> "EventColumns":
        """The events of all parts, one part after the other. An optional column is None if the first part has none."""
        columns: list[NDArray[Any] | None] = [
            None
            if getattr(parts[0], name) is None
            else np.concatenate([getattr(part, name) for part in parts])
            for name in cls.__dataclass_fields__
        ]
        return cls(*columns)  # type: ignore[arg-type]

    def author_groups(self, author_of_post: NDArray[np.int32]) -> NDArray[np.int32]:
        """(n_events,) the author of each event's post; the post itself where the author is -1."""
        author = author_of_post[self.post]
        return np.where(author >= 0, author, self.post)

    def sort_in_place(self) -> None:
        """Sort by time, then by number. It copies one column at a time: a copy of all would double the memory."""
        order = np.lexsort((self.seq, self.time_us))
        for name in self.__dataclass_fields__:
            column = getattr(self, name)
            if column is not None:
                column[:] = column[order]

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Times in seconds."""
        return _seconds(self.time_us)

    @cached_property
    def received(self) -> NDArray[np.float64]:
        """Times of receipt in seconds."""
        return self.time if self.received_us is None else _seconds(self.received_us)


@dataclass(frozen=True, slots=True, eq=False)
class EventParts:
    """Events twice, in parts, so that memory holds one part at a time.

    by_user    a part has all events of some users, in order of time
    by_author  a part has all events with the posts of some authors, in order of time
    """

    by_user: Iterable[EventColumns] = ()
    by_author: Iterable[EventColumns] = ()


NO_PARTS: Final = EventParts()


@dataclass(frozen=True, slots=True, eq=False)
class KeyedEvents:
    """(n_events,) interactions as in EventColumns, in any order, with the keys (V16) of their users and posts."""

    user: NDArray[np.void]
    post: NDArray[np.void]
    kind: NDArray[np.uint8]
    time_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    seq: NDArray[np.int64]

    def with_rows(self, users: NDArray[np.int32], posts: NDArray[np.int32]) -> EventColumns:
        """The events with these rows (n_events,) of users and posts, without those of which one is -1."""
        events = EventColumns(users, posts, self.kind, self.time_us, self.seq, received_us=self.received_us)
        return events[np.flatnonzero((users >= 0) & (posts >= 0))]


@dataclass(frozen=True, slots=True, eq=False)
class MembershipColumns:
    """(n_memberships,) distinct memberships of users in audiences."""

    user: NDArray[np.int32]
    audience_id: list[str]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, slots=True, eq=False)
class InterestColumns:
    """(n_interests,) interests that users declared: each a tag, or an author, whom the dataset may lack."""

    user: NDArray[np.int32]
    tag: list[str | None]
    author: list[UUID | None]

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, eq=False)
class PageColumns:
    """(n_pages,) pages that were shown to users, sorted by time. None by default.

    post  (n_places,) rows of posts: the places of the first page, then those of the second, and so on
    seen  (n_places,) whether the post was on screen, as far as the client reported it

    `request_id` is only loaded into a database; None if the source has none.
    """

    user: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    time_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    length: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))  # places of each page
    post: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    seen: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    request_id: list[str] | None = None

    def __len__(self) -> int:
        return len(self.user)

    def places(self, page: int) -> slice:
        """The places of a page in `post` and `seen`."""
        end = self._end.item(page)
        return slice(end - self.length.item(page), end)

    @cached_property
    def time(self) -> NDArray[np.float64]:
        """Times in seconds."""
        return _seconds(self.time_us)

    @cached_property
    def _end(self) -> NDArray[np.int64]:
        return np.cumsum(self.length)


@dataclass(frozen=True, slots=True, eq=False)
class FeedDataset:
    """All users, posts, follows, events, memberships and pages of a feed, and its controls by time, undated first.

    Only a replay reads the pages, and no replay reads the interests, which have no time. A feed without pages is
    complete.
    """

    users: UserColumns
    posts: PostColumns
    follows: FollowColumns
    events: EventColumns
    controls: Sequence[Control] = ()
    memberships: MembershipColumns = field(
        default_factory=lambda: MembershipColumns(np.empty(0, np.int32), [])
    )
    pages: PageColumns = field(default_factory=PageColumns)
    interests: InterestColumns = field(default_factory=lambda: InterestColumns(np.empty(0, np.int32), [], []))
