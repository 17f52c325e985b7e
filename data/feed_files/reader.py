"""Reads feed files into one checked FeedDataset.

`interactions`: user_id, post_id, interaction_type, created_at, [event_id, metadata]
`posts`: id, [author_id, content, created_at, visible, like_count, comment_count, tags], [visibility, audience_id,
    language, sensitive, reply_to, root_id, repost_of]
`users`: id, [username, follower_count, created_at, discoverable, personalised, languages, show_sensitive]
`follows`: follower_id, followee_id, [created_at]
`controls`: user_id, action, one of post_id, author_id, tag and word, [created_at, until]
`memberships`: user_id, audience_id
`impressions`: user_id, request_id, created_at, posts, [seen]; a page, with lists of ids

The dataset also holds users and posts that only other rows mention. A post without a time dates from its first
interaction. The first of several rows with one id is kept, and the earliest of several equal follows or event ids. A
user cannot follow, mute or block themselves. Controls and pages need posts that another row mentions.
`FeedFile.skipped_rows` reports the rows that these rules skip.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.domain.entities.control import Control
from app.domain.feed.dataset import (
    NO_TIME,
    EventColumns,
    FeedDataset,
    FollowColumns,
    MembershipColumns,
    PostColumns,
    UserColumns,
    time_of,
)
from app.domain.ids import post_uuid, user_uuid
from app.domain.words import normal_phrase, normal_tag
from data.feed_files import columns
from data.feed_files.columns import IdIndex
from data.feed_files.file_tables import FileTable
from data.feed_files.open_files import open_files
from data.feed_files.pages import read_pages
from data.feed_files.skipped_rows import SkippedRows, report_skipped
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
    *,
    controls: Path | None = None,
    memberships: Path | None = None,
    impressions: Path | None = None,
) -> FeedFile:
    """Read the files of one feed; the suffix gives the format: .csv, .ndjson, .jsonl, .json or .parquet.

    A `.json` document may hold all lists. If only a `.parquet` file is given, its siblings are read too
    (`feed.posts.parquet` beside `feed.parquet`). `event_map` maps names of events to interaction types.
    Raises FeedFileError for the first invalid value, and OSError for a file that cannot be read.
    """
    paths: dict[FileKind, Path | None] = {"interactions": interactions, "posts": posts, "users": users}
    paths |= {"follows": follows, "controls": controls, "memberships": memberships}
    paths["impressions"] = impressions
    tables = open_files(paths)
    user_table, post_table = tables["users"], tables["posts"]
    user_ids, post_ids = IdIndex(user_uuid), IdIndex(post_uuid)
    user_rows = user_ids.rows(user_table, "id")
    post_rows = post_ids.rows(post_table, "id")
    authors = user_ids.rows(post_table, "author_id")
    follow_columns, skipped_follows = _follows(tables["follows"], user_ids)
    events, has_event_id = _events(tables["interactions"], user_ids, post_ids, event_map or {})
    order, skipped_events = _distinct_by_time(tables["interactions"], events, has_event_id)
    post_columns = _posts(post_table, post_rows, post_ids, authors, events)
    control_columns, skipped_controls = _controls(tables["controls"], user_ids, post_ids, len(post_columns))
    membership_columns, skipped_memberships = _memberships(tables["memberships"], user_ids)
    pages, skipped_pages = read_pages(tables["impressions"], user_ids, post_ids, len(post_columns))
    duplicate_id = "is a duplicate id; the first row was kept"
    return FeedFile(
        FeedDataset(
            _users(user_table, user_rows, user_ids),
            post_columns,
            follow_columns,
            events[order],
            control_columns,
            membership_columns,
            pages,
        ),
        has_event_id[order],
        (
            *report_skipped(user_table, "id", pd.Series(user_rows).duplicated(), duplicate_id),
            *report_skipped(post_table, "id", pd.Series(post_rows).duplicated(), duplicate_id),
            *skipped_follows,
            *skipped_events,
            *skipped_controls,
            *skipped_memberships,
            *skipped_pages,
        ),
    )


def _events(
    table: FileTable, users: IdIndex, posts: IdIndex, event_map: Mapping[str, str]
) -> tuple[EventColumns, NDArray[np.bool_]]:
    """The events in the order of the file, and which of them have an id."""
    event_id, has_id = columns.event_ids(table)
    return EventColumns(
        users.rows(table, "user_id"),
        posts.rows(table, "post_id"),
        columns.interaction_codes(table, event_map),
        columns.times(table),
        np.zeros(table.rows, np.int64),
        event_id,
        columns.metadata(table),
    ), has_id


def _distinct_by_time(
    table: FileTable, events: EventColumns, has_id: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], list[SkippedRows]]:
    """The rows of the events by time, the first of each id; equal times keep the order of the file."""
    assert events.event_id is not None
    order = np.argsort(events.time_us, kind="stable")
    with_id = order[has_id[order]]
    repeated = np.zeros(len(events), np.bool_)
    repeated[with_id] = pd.DataFrame(events.event_id[with_id].view(np.int64).reshape(-1, 2)).duplicated()
    problem = "comes more than once, of which the earliest counts"
    return order[~repeated[order]], report_skipped(table, "event_id", repeated, problem)


def _users(table: FileTable, listed: NDArray[np.int32], ids: IdIndex) -> UserColumns:
    row_of = _first_rows(listed, len(ids))
    return UserColumns(
        ids.keys,
        ids.given,
        _spread(columns.texts(table, "username"), row_of, None),
        np.append(columns.counts(table, "follower_count"), -1)[row_of],
        np.append(columns.times(table), NO_TIME)[row_of],
        **{
            name: _flags(table, name, row_of, default=name != "show_sensitive")
            for name in ("discoverable", "personalised", "show_sensitive")
        },
        languages=_optional(table, "languages", columns.languages, row_of, ()),
    )


def _posts(
    table: FileTable,
    listed: NDArray[np.int32],
    ids: IdIndex,
    authors: NDArray[np.int32],
    events: EventColumns,
) -> PostColumns:
    first_event = np.full(len(ids), _LATEST)
    np.minimum.at(first_event, events.post, events.time_us)
    row_of = _first_rows(listed, len(ids))
    created = np.append(columns.times(table), NO_TIME)[row_of]
    created = np.where(created == NO_TIME, first_event, created)
    if (undated := created == _LATEST).any():
        row = int(row_of[undated.argmax()])
        raise table.error(row, "id", "has no created_at, and no interaction to date it by")
    return PostColumns(
        ids.keys,
        list(ids.given),  # rows of other files extend it
        np.append(authors, np.int32(-1))[row_of],
        created,
        np.append(columns.flags(table, "visible", default=True), True)[row_of],
        np.arange(len(ids), dtype=np.int64),
        [text or "" for text in _spread(columns.texts(table, "content"), row_of, None)],
        _spread(columns.tags(table), row_of, ()),
        np.append(columns.counts(table, "like_count"), -1)[row_of],
        np.append(columns.counts(table, "comment_count"), -1)[row_of],
        _optional(table, "visibility", columns.visibilities, row_of, "public"),
        _optional(table, "audience_id", columns.texts, row_of, None),
        _optional(table, "language", columns.language, row_of, None),
        _flags(table, "sensitive", row_of, default=False),
        *(
            _optional(table, name, columns.post_ids, row_of, None)
            for name in ("reply_to", "root_id", "repost_of")
        ),
    )


def _flags(
    table: FileTable, name: str, row_of: NDArray[np.intp], *, default: bool
) -> NDArray[np.bool_] | None:
    """The booleans of an optional column, as in `_optional`."""
    read = partial(columns.flags, default=default)
    values = _optional(table, name, lambda *column: read(*column).tolist(), row_of, default)
    return None if values is None else np.array(values, np.bool_)


def _optional(
    table: FileTable,
    name: str,
    read: Callable[[FileTable, str], list[T]],
    row_of: NDArray[np.intp],
    default: T,
) -> list[T] | None:
    """The values of a column at `row_of`, `default` where it is -1; None if no row has a value."""
    if table.column(name).null_count == table.rows:
        return None
    return _spread(read(table, name), row_of, default)


def _follows(table: FileTable, users: IdIndex) -> tuple[FollowColumns, list[SkippedRows]]:
    """The distinct edges in the order of the file, and the rows that repeat one or follow themselves."""
    follower, followee = users.rows(table, "follower_id"), users.rows(table, "followee_id")
    since_us = columns.times(table)
    of_oneself = follower == followee
    undated_last = np.argsort(np.where(since_us == NO_TIME, _LATEST, since_us), kind="stable")
    edges = pd.DataFrame({"follower": follower, "followee": followee}).iloc[undated_last]
    repeated = edges.duplicated().sort_index().to_numpy() & ~of_oneself
    kept = ~(of_oneself | repeated)
    return FollowColumns(follower[kept], followee[kept], since_us[kept]), [
        *report_skipped(table, "followee_id", of_oneself, "equals the follower"),
        *report_skipped(
            table, "followee_id", repeated, "is followed in another row too, of which the earliest counts"
        ),
    ]


def _controls(
    table: FileTable, users: IdIndex, posts: IdIndex, n_posts: int
) -> tuple[list[Control], list[SkippedRows]]:
    """The controls by time, those without a time first, and the rows that are skipped."""
    user, author = users.rows(table, "user_id"), users.rows(table, "author_id")
    post, time_us = posts.rows(table, "post_id"), columns.times(table)
    values = zip(
        _uuids(users, user),
        columns.texts(table, "action"),
        _uuids(posts, post),
        _uuids(users, author),
        (None if tag is None else normal_tag(tag) for tag in columns.texts(table, "tag")),
        (None if word is None else normal_phrase(word) for word in columns.texts(table, "word")),
        map(time_of, time_us.tolist()),
        map(time_of, columns.times(table, "until").tolist()),
        strict=True,
    )
    controls = []
    for row, fields in enumerate(values):
        try:
            controls.append(Control(*fields))
        except ValueError as error:
            raise table.error(row, "action", f"is invalid: {error}") from None
    of_oneself, unknown = author == user, post >= n_posts
    order = np.argsort(time_us, kind="stable")  # NO_TIME is the smallest number
    return [controls[row] for row in order.tolist() if not (of_oneself | unknown)[row]], [
        *report_skipped(table, "author_id", of_oneself, "equals the user"),
        *report_skipped(table, "post_id", unknown, "is a post that no other row mentions"),
    ]


def _memberships(table: FileTable, users: IdIndex) -> tuple[MembershipColumns, list[SkippedRows]]:
    """The distinct memberships in the order of the file, and the rows that repeat one."""
    user, audiences = users.rows(table, "user_id"), columns.texts(table, "audience_id")
    if "" in audiences:
        raise table.error(audiences.index(""), "audience_id", "is empty")
    repeated = pd.DataFrame({"user": user, "audience": audiences}).duplicated().to_numpy()
    kept = np.flatnonzero(~repeated)
    return MembershipColumns(user[kept], [str(audiences[row]) for row in kept.tolist()]), report_skipped(
        table, "audience_id", repeated, "is an audience of the user in another row too"
    )


def _uuids(ids: IdIndex, rows: NDArray[np.int32]) -> list[UUID | None]:
    """The UUID of each row, None for -1."""
    keys = ids.keys
    return [UUID(bytes=keys[row].tobytes()) if row >= 0 else None for row in rows.tolist()]


def _first_rows(listed: NDArray[np.int32], n: int) -> NDArray[np.intp]:
    """(n,) the first row of the file with each id, -1 for none. `listed` holds the id number of each row."""
    row_of = np.full(n, -1, dtype=np.intp)
    row_of[listed[::-1]] = np.arange(len(listed))[::-1]
    return row_of


def _spread(values: list[T], row_of: NDArray[np.intp], default: T) -> list[T]:
    """The values at `row_of`, and the default where it is -1."""
    values = [*values, default]
    return [values[row] for row in row_of.tolist()]
