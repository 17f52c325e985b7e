"""Feed files read into one validated feed in columns.

`interactions`: user_id, post_id, interaction_type, created_at, [event_id, metadata]
`posts`: id, [author_id, content, created_at, visible, like_count, comment_count, tags]
`users`: id, [username, follower_count, created_at]
`follows`: follower_id, followee_id, [created_at]

Users and posts that are only named elsewhere are there too; a post without a time dates from its first
interaction. Of several rows with one id the first counts, of an edge or an event_id that comes again the earliest,
and nobody follows himself; `FeedFile.skipped_rows` lists what was skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns, FeedDataset, FollowColumns, PostColumns, UserColumns
from app.domain.ids import post_uuid, user_uuid
from app.infrastructure.database import bulk_load
from data.feed_files import columns
from data.feed_files.columns import IdIndex
from data.feed_files.event_ids import event_ids, numbers_among_equals
from data.feed_files.file_tables import FileTable
from data.feed_files.open_files import open_files
from data.feed_files.skipped_rows import SkippedRows, all_except, repeated_ids, skipped
from data.schemas import FileKind
from data.times import NO_TIME, are_storable

_LATEST = np.iinfo(np.int64).max
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class UserRows:
    """(n_users,) users; `created` in microseconds or NO_TIME, `follower_count` -1 where it is not known."""

    ids: IdIndex
    username: list[str | None]
    follower_count: NDArray[np.int64]
    created: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PostRows:
    """(n_posts,) posts; `author` is a row of users or -1, counts are -1 where they are not known."""

    ids: IdIndex
    author: NDArray[np.int32]
    created: NDArray[np.int64]
    visible: NDArray[np.bool_]
    text: list[str]
    tags: list[tuple[str, ...]]
    like_count: NDArray[np.int64]
    comment_count: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FollowRows:
    """(n_follows,) distinct edges between rows of users; `since` in microseconds or NO_TIME."""

    follower: NDArray[np.int32]
    followee: NDArray[np.int32]
    since: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class EventRows:
    """(n_events,) interactions by time, ties in the order of the file; `given_id` counts where `has_id`."""

    user: NDArray[np.int32]
    post: NDArray[np.int32]
    kind: NDArray[np.uint8]
    time: NDArray[np.int64]
    given_id: NDArray[np.void]
    has_id: NDArray[np.bool_]
    metadata: list[str] | None  # JSON objects; None when no event has any


@dataclass(frozen=True, slots=True, eq=False)
class FeedFile:
    """A feed as its files tell it, times as they stand there."""

    users: UserRows
    posts: PostRows
    follows: FollowRows
    events: EventRows
    skipped_rows: tuple[SkippedRows, ...]

    def dataset(self) -> FeedDataset:
        """The feed for a replay; ids are spelt as in the files."""
        posts, events = self.posts, self.events
        return FeedDataset(
            UserColumns(self.users.ids.keys, self.users.ids.given),
            PostColumns(
                posts.ids.keys,
                posts.ids.given,
                posts.author,
                posts.created / 1e6,
                posts.visible,
                np.arange(len(posts.ids), dtype=np.int64),
                posts.text,
                posts.tags,
            ),
            FollowColumns(
                self.follows.follower,
                self.follows.followee,
                np.where(self.follows.since == NO_TIME, np.nan, self.follows.since / 1e6),
            ),
            EventColumns(
                events.user,
                events.post,
                events.kind,
                events.time / 1e6,
                np.zeros(len(events.time), dtype=np.int64),
            ),
        )

    def tables(self, shift_seconds: float = 0.0) -> bulk_load.FeedTables:
        """The feed as it goes into the database, all times moved by one amount.

        Event ids are made of the times as they stand in the file. A user without a time was there from the first
        thing that names him. Raises LoadRejected for a time that is moved beyond what the tables take.
        """
        users, posts, follows, events = self.users, self.posts, self.follows, self.events
        shift = round(shift_seconds * 1e6)

        def moved(micro: NDArray[np.int64]) -> NDArray[np.float64]:
            known = micro != NO_TIME
            after = np.where(known, micro, 0) + shift
            if (beyond := known & ~are_storable(after)).any():
                given = np.datetime64(int(micro[beyond.argmax()]), "us")
                raise bulk_load.LoadRejected(
                    f"{given}Z, moved by {shift_seconds / 86_400:,.0f} days, is beyond the years 1 to 9999"
                )
            return np.where(known, after / 1e6, np.nan)

        return bulk_load.FeedTables(
            bulk_load.UserRows(
                users.ids.keys,
                users.ids.given,
                moved(self._users_created()),
                users.username,
                _known(users.follower_count),
            ),
            bulk_load.PostRows(
                posts.ids.keys,
                posts.ids.given,
                posts.author,
                moved(posts.created),
                list(posts.text),
                posts.tags,
                posts.visible,
                _known(posts.like_count),
                _known(posts.comment_count),
            ),
            bulk_load.FollowRows(follows.follower, follows.followee, moved(follows.since)),
            bulk_load.InteractionRows(
                events.user,
                events.post,
                events.kind,
                moved(events.time),
                self.event_ids(),
                {row: note for row, note in enumerate(events.metadata or ()) if note != "{}"},
            ),
        )

    def event_ids(self) -> NDArray[np.void]:
        """(n_events,) ``V16``: the id each event came with, or the one that is made for it."""
        events, rows = self.events, np.flatnonzero(~self.events.has_id)
        ids = events.given_id.copy()
        ids[rows] = event_ids(
            [UUID(bytes=key.tobytes()) for key in self.users.ids.keys],
            [UUID(bytes=key.tobytes()) for key in self.posts.ids.keys],
            events.user[rows],
            events.post[rows],
            events.kind[rows],
            events.time[rows],
        )
        return ids

    def _users_created(self) -> NDArray[np.int64]:
        first = np.full(len(self.users.ids), _LATEST)
        written = self.posts.author >= 0
        np.minimum.at(first, self.events.user, self.events.time)
        np.minimum.at(first, self.posts.author[written], self.posts.created[written])
        since = np.where(self.follows.since == NO_TIME, _LATEST, self.follows.since)
        np.minimum.at(first, self.follows.follower, since)
        np.minimum.at(first, self.follows.followee, since)
        first = np.where(first == _LATEST, NO_TIME, first)
        return np.where(self.users.created == NO_TIME, first, self.users.created)


def read_feed(
    interactions: Path,
    posts: Path | None = None,
    users: Path | None = None,
    follows: Path | None = None,
    event_map: Mapping[str, str] | None = None,
) -> FeedFile:
    """Read the files of one feed (formats by ending: .csv, .ndjson, .jsonl, .json, .parquet).

    A `.json` document may hold all four lists; a `.parquet` file that is named alone brings its siblings
    (`feed.posts.parquet` beside `feed.parquet`). `event_map` maps names of events onto interaction types.
    Raises FeedFileError for the first thing that is not as it should be.
    """
    named: dict[FileKind, Path | None] = {
        "interactions": interactions,
        "posts": posts,
        "users": users,
        "follows": follows,
    }
    tables = open_files({kind: path for kind, path in named.items() if path is not None})
    user_ids, post_ids = IdIndex(user_uuid), IdIndex(post_uuid)
    nothing = np.empty(0, dtype=np.int32)
    user_table, post_table = tables.get("users"), tables.get("posts")
    user_rows = user_ids.rows(user_table, "id") if user_table else nothing
    post_rows = post_ids.rows(post_table, "id") if post_table else nothing
    authors = user_ids.rows(post_table, "author_id", required=False) if post_table else nothing
    follow_rows, left_follows = _follows(tables.get("follows"), user_ids)
    events, left_events = _events(tables["interactions"], user_ids, post_ids, event_map or {})
    return FeedFile(
        _users(user_table, user_rows, user_ids),
        _posts(post_table, post_rows, post_ids, authors, events),
        follow_rows,
        events,
        (
            *repeated_ids(user_table, user_rows),
            *repeated_ids(post_table, post_rows),
            *left_follows,
            *left_events,
        ),
    )


def _events(
    table: FileTable, users: IdIndex, posts: IdIndex, event_map: Mapping[str, str]
) -> tuple[EventRows, list[SkippedRows]]:
    user, post = users.rows(table, "user_id"), posts.rows(table, "post_id")
    kind, time = columns.interaction_codes(table, event_map), columns.times(table, required=True)
    given_id, has_id = columns.uuids(table)
    notes = columns.metadata(table)
    order = np.argsort(time, kind="stable")
    if has_id.any():
        high, low = given_id[order].view(">u8").reshape(-1, 2).astype(np.int64).T
        equal = numbers_among_equals(low, high, has_id[order].view(np.uint8))
        order = order[~has_id[order] | (equal == 0)]
    again = all_except(order, table.rows)
    rows = EventRows(
        user[order],
        post[order],
        kind[order],
        time[order],
        given_id[order],
        has_id[order],
        None if notes is None else [notes[row] for row in order.tolist()],
    )
    return rows, skipped(table, "event_id", again, "comes more than once, of which the earliest counts")


def _users(table: FileTable | None, listed: NDArray[np.int32], ids: IdIndex) -> UserRows:
    row_of = _first_rows(listed, len(ids))
    if table is None:
        n = len(ids)
        return UserRows(ids, [None] * n, np.full(n, -1), np.full(n, NO_TIME))
    return UserRows(
        ids,
        _spread(columns.texts(table, "username"), row_of, None),
        np.append(columns.counts(table, "follower_count"), -1)[row_of],
        np.append(columns.times(table), NO_TIME)[row_of],
    )


def _posts(
    table: FileTable | None,
    listed: NDArray[np.int32],
    ids: IdIndex,
    authors: NDArray[np.int32],
    events: EventRows,
) -> PostRows:
    n = len(ids)
    met = np.full(n, _LATEST)
    np.minimum.at(met, events.post, events.time)
    if table is None:
        unknown = np.full(n, -1)
        visible = np.ones(n, dtype=np.bool_)
        return PostRows(ids, unknown.astype(np.int32), met, visible, [""] * n, [()] * n, unknown, unknown)
    row_of = _first_rows(listed, n)
    created = np.append(columns.times(table), NO_TIME)[row_of]
    created = np.where(created == NO_TIME, met, created)
    if (undated := created == _LATEST).any():
        row = int(row_of[undated.argmax()])
        raise table.error(row, "id", "has no created_at, and no interaction to date it by")
    return PostRows(
        ids,
        np.append(authors, np.int32(-1))[row_of],
        created,
        np.append(columns.flags(table, "visible", default=True), True)[row_of],
        [text or "" for text in _spread(columns.texts(table, "content"), row_of, None)],
        _spread(columns.tags(table), row_of, ()),
        np.append(columns.counts(table, "like_count"), -1)[row_of],
        np.append(columns.counts(table, "comment_count"), -1)[row_of],
    )


def _known(counts: NDArray[np.int64]) -> list[int | None] | None:
    if (counts < 0).all():
        return None
    return [count if count >= 0 else None for count in counts.tolist()]


def _first_rows(listed: NDArray[np.int32], n: int) -> NDArray[np.intp]:
    """For each of n ids the first row of its file that names it, -1 for none."""
    row_of = np.full(n, -1, dtype=np.intp)
    row_of[listed[::-1]] = np.arange(len(listed))[::-1]
    return row_of


def _spread(values: list[T], row_of: NDArray[np.intp], default: T) -> list[T]:
    """The values at `row_of`, where -1 takes the default."""
    values = [*values, default]
    return [values[row] for row in row_of.tolist()]


def _follows(table: FileTable | None, users: IdIndex) -> tuple[FollowRows, list[SkippedRows]]:
    if table is None:
        empty = np.empty(0, dtype=np.int32)
        return FollowRows(empty, empty, np.empty(0, dtype=np.int64)), []
    follower, followee = users.rows(table, "follower_id"), users.rows(table, "followee_id")
    since = columns.times(table)
    order = np.lexsort((np.where(since == NO_TIME, _LATEST, since), followee, follower))
    of_oneself = follower == followee
    order = order[~of_oneself[order]]
    fresh = np.ones(len(order), dtype=np.bool_)  # of equal edges the earliest dated one
    fresh[1:] = (np.diff(follower[order]) != 0) | (np.diff(followee[order]) != 0)
    kept = np.sort(order[fresh])
    again = all_except(kept, table.rows) & ~of_oneself
    return FollowRows(follower[kept], followee[kept], since[kept]), [
        *skipped(table, "followee_id", of_oneself, "is the follower himself"),
        *skipped(table, "followee_id", again, "is followed in another row too, of which the earliest counts"),
    ]
