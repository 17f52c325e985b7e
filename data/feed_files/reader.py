"""Reads feed files into one checked FeedDataset.

`interactions`: user_id, post_id, interaction_type, created_at, [event_id, metadata]
`posts`: id, [author_id, content, created_at, visible, like_count, comment_count, tags]
`users`: id, [username, follower_count, created_at]
`follows`: follower_id, followee_id, [created_at]

The dataset also holds users and posts that only other rows mention. A post without a time dates from its first
interaction. The first of several rows with one id is kept, and the earliest of several equal follows or event ids. A
user cannot follow themselves. `FeedFile.skipped_rows` reports the rows that these rules skip.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    PostColumns,
    UserColumns,
)
from app.domain.ids import post_uuid, user_uuid
from data.feed_files import columns
from data.feed_files.columns import IdIndex
from data.feed_files.event_ids import numbers_among_equals
from data.feed_files.file_tables import FileTable
from data.feed_files.open_files import open_files
from data.feed_files.skipped_rows import SkippedRows, all_except, repeated_ids, skipped
from data.schemas import FileKind

_LATEST = np.iinfo(np.int64).max
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class FeedFile:
    """A feed as its files describe it.

    dataset       ids are written as in the files; `seq` numbers the posts from 0, and is 0 for events
    has_event_id  (n_events,) whether the file has an id for the event; where it has none, the `event_id` is zero
    """

    dataset: FeedDataset
    has_event_id: NDArray[np.bool_]
    skipped_rows: tuple[SkippedRows, ...] = ()


def read_feed(
    interactions: Path,
    posts: Path | None = None,
    users: Path | None = None,
    follows: Path | None = None,
    event_map: Mapping[str, str] | None = None,
) -> FeedFile:
    """Read the files of one feed; the suffix gives the format: .csv, .ndjson, .jsonl, .json or .parquet.

    A `.json` document may hold all four lists. If only a `.parquet` file is given, its siblings are read too
    (`feed.posts.parquet` beside `feed.parquet`). `event_map` maps names of events to interaction types.
    Raises FeedFileError for the first invalid value.
    """
    given: dict[FileKind, Path | None] = {
        "interactions": interactions,
        "posts": posts,
        "users": users,
        "follows": follows,
    }
    tables = open_files({kind: path for kind, path in given.items() if path is not None})
    user_ids, post_ids = IdIndex(user_uuid), IdIndex(post_uuid)
    nothing = np.empty(0, dtype=np.int32)
    user_table, post_table = tables.get("users"), tables.get("posts")
    user_rows = user_ids.rows(user_table, "id") if user_table else nothing
    post_rows = post_ids.rows(post_table, "id") if post_table else nothing
    authors = user_ids.rows(post_table, "author_id", required=False) if post_table else nothing
    follow_columns, skipped_follows = _follows(tables.get("follows"), user_ids)
    events, has_event_id, skipped_events = _events(
        tables["interactions"], user_ids, post_ids, event_map or {}
    )
    return FeedFile(
        FeedDataset(
            _users(user_table, user_rows, user_ids),
            _posts(post_table, post_rows, post_ids, authors, events),
            follow_columns,
            events,
        ),
        has_event_id,
        (
            *repeated_ids(user_table, user_rows),
            *repeated_ids(post_table, post_rows),
            *skipped_follows,
            *skipped_events,
        ),
    )


def _events(
    table: FileTable, users: IdIndex, posts: IdIndex, event_map: Mapping[str, str]
) -> tuple[EventColumns, NDArray[np.bool_], list[SkippedRows]]:
    """The events by time, equal times in the order of the file; which have an id; and the repeated ones."""
    user, post = users.rows(table, "user_id"), posts.rows(table, "post_id")
    kind, time_us = columns.interaction_codes(table, event_map), columns.times(table, required=True)
    event_id, has_id = columns.uuids(table)
    metadata = columns.metadata(table)
    order = np.argsort(time_us, kind="stable")
    if has_id.any():
        high, low = event_id[order].view(">u8").reshape(-1, 2).astype(np.int64).T
        equal = numbers_among_equals(low, high, has_id[order].view(np.uint8))
        order = order[~has_id[order] | (equal == 0)]
    repeated = all_except(order, table.rows)
    events = EventColumns(
        user,
        post,
        kind,
        time_us,
        np.zeros(table.rows, np.int64),
        event_id,
        None if metadata is None else np.array(metadata, np.object_),
    )[order]
    return (
        events,
        has_id[order],
        skipped(table, "event_id", repeated, "comes more than once, of which the earliest counts"),
    )


def _users(table: FileTable | None, listed: NDArray[np.int32], ids: IdIndex) -> UserColumns:
    if table is None:
        return UserColumns(ids.keys, ids.given, created_us=np.full(len(ids), NO_TIME))
    row_of = _first_rows(listed, len(ids))
    return UserColumns(
        ids.keys,
        ids.given,
        _spread(columns.texts(table, "username"), row_of, None),
        np.append(columns.counts(table, "follower_count"), -1)[row_of],
        np.append(columns.times(table), NO_TIME)[row_of],
    )


def _posts(
    table: FileTable | None,
    listed: NDArray[np.int32],
    ids: IdIndex,
    authors: NDArray[np.int32],
    events: EventColumns,
) -> PostColumns:
    n = len(ids)
    first_event = np.full(n, _LATEST)
    np.minimum.at(first_event, events.post, events.time_us)
    seq = np.arange(n, dtype=np.int64)
    if table is None:
        author, visible = np.full(n, -1, dtype=np.int32), np.ones(n, dtype=np.bool_)
        return PostColumns(ids.keys, ids.given, author, first_event, visible, seq, [""] * n, [()] * n)
    row_of = _first_rows(listed, n)
    created = np.append(columns.times(table), NO_TIME)[row_of]
    created = np.where(created == NO_TIME, first_event, created)
    if (undated := created == _LATEST).any():
        row = int(row_of[undated.argmax()])
        raise table.error(row, "id", "has no created_at, and no interaction to date it by")
    return PostColumns(
        ids.keys,
        ids.given,
        np.append(authors, np.int32(-1))[row_of],
        created,
        np.append(columns.flags(table, "visible", default=True), True)[row_of],
        seq,
        [text or "" for text in _spread(columns.texts(table, "content"), row_of, None)],
        _spread(columns.tags(table), row_of, ()),
        np.append(columns.counts(table, "like_count"), -1)[row_of],
        np.append(columns.counts(table, "comment_count"), -1)[row_of],
    )


def _follows(table: FileTable | None, users: IdIndex) -> tuple[FollowColumns, list[SkippedRows]]:
    """The distinct edges in the order of the file, and the rows that repeat one or follow themselves."""
    if table is None:
        empty = np.empty(0, dtype=np.int32)
        return FollowColumns(empty, empty, np.empty(0, dtype=np.int64)), []
    follower, followee = users.rows(table, "follower_id"), users.rows(table, "followee_id")
    since_us = columns.times(table)
    order = np.lexsort((np.where(since_us == NO_TIME, _LATEST, since_us), followee, follower))
    of_oneself = follower == followee
    order = order[~of_oneself[order]]
    first = np.ones(len(order), dtype=np.bool_)  # the earliest dated one of equal edges
    first[1:] = (np.diff(follower[order]) != 0) | (np.diff(followee[order]) != 0)
    kept = np.sort(order[first])
    repeated = all_except(kept, table.rows) & ~of_oneself
    return FollowColumns(follower[kept], followee[kept], since_us[kept]), [
        *skipped(table, "followee_id", of_oneself, "is the follower himself"),
        *skipped(
            table, "followee_id", repeated, "is followed in another row too, of which the earliest counts"
        ),
    ]


def _first_rows(listed: NDArray[np.int32], n: int) -> NDArray[np.intp]:
    """(n,) the first row of the file with each id, -1 for none. `listed` holds the id number of each row."""
    row_of = np.full(n, -1, dtype=np.intp)
    row_of[listed[::-1]] = np.arange(len(listed))[::-1]
    return row_of


def _spread(values: list[T], row_of: NDArray[np.intp], default: T) -> list[T]:
    """The values at `row_of`, and the default where it is -1."""
    values = [*values, default]
    return [values[row] for row in row_of.tolist()]
