"""Reads feed files into one checked FeedDataset.

`interactions`: user_id, post_id, interaction_type, created_at, [event_id, metadata]
`posts`: id, [author_id, content, created_at, visible, like_count, comment_count, tags], [visibility, audience_id,
    language, sensitive, reply_to, root_id, repost_of, embedding]
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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.domain.feed.dataset import EventColumns, FeedDataset
from app.domain.ids import post_uuid, user_uuid
from data.feed_files import columns
from data.feed_files.entities import read_posts, read_users
from data.feed_files.file_tables import BadRows, FileTable
from data.feed_files.ids import IdIndex
from data.feed_files.open_files import open_files
from data.feed_files.options import DROP, ReadOptions
from data.feed_files.pages import read_pages
from data.feed_files.relations import read_controls, read_follows, read_memberships
from data.feed_files.skipped_rows import SkippedRows, report_skipped
from data.schemas import FileKind

_DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, slots=True, eq=False)
class FeedFile:
    """A feed as its files describe it.

    dataset       ids are written as in the files; `seq` numbers the posts from 0, and is 0 for events
    has_event_id  (n_events,) whether the file has an id for the event; where it has none, the `event_id` is zero
    notes         what the user should know about how the files were read
    rows          kind -> the number of rows of its file
    columns       kind -> the columns that its file has, `created_at` only if each row has a time
    listed        users and posts -> (n,) whether their file has a row for them
    """

    dataset: FeedDataset
    has_event_id: NDArray[np.bool_]
    skipped_rows: tuple[SkippedRows, ...] = ()
    notes: tuple[str, ...] = ()
    rows: Mapping[FileKind, int] = field(default_factory=dict)
    columns: Mapping[FileKind, tuple[str, ...]] = field(default_factory=dict)
    listed: Mapping[FileKind, NDArray[np.bool_]] = field(default_factory=dict)


def read_feed(
    interactions: Path | None,
    posts: Path | None = None,
    users: Path | None = None,
    follows: Path | None = None,
    options: ReadOptions = _DEFAULT_OPTIONS,
    *,
    controls: Path | None = None,
    memberships: Path | None = None,
    impressions: Path | None = None,
) -> FeedFile:
    """Read the files of one feed, at least one; the suffix gives the format (`open_files`).

    A `.json` document may hold all lists. If only a `.parquet` file is given, its siblings are read too
    (`feed.posts.parquet` beside `feed.parquet`).
    Raises FeedFileError for the first invalid value, and OSError for a file that cannot be read.
    """
    paths: dict[FileKind, Path | None] = {"interactions": interactions, "posts": posts, "users": users}
    paths |= {"follows": follows, "controls": controls, "memberships": memberships}
    paths["impressions"] = impressions
    tables = open_files(paths, options)
    rows = {kind: table.rows for kind, table in tables.items() if table.rows}
    while True:  # once, and again without the bad rows of each column that has some
        try:
            return replace(_feed(tables, options), rows=rows)
        except BadRows as error:
            if options.bad_rows is None:
                raise
            tables[error.table.kind] = error.skip(options.bad_rows)


def _feed(tables: dict[FileKind, FileTable], options: ReadOptions) -> FeedFile:
    """The feed of tables. Raises BadRows, and FeedFileError for other errors."""
    for table in tables.values():
        table.check_required()
    tables["interactions"] = _without_dropped(tables["interactions"], options)
    interaction_table = tables["interactions"]
    user_table, post_table = tables["users"], tables["posts"]
    user_ids, post_ids = IdIndex(user_uuid), IdIndex(post_uuid)
    user_rows = user_ids.rows(user_table, "id")
    post_rows = post_ids.rows(post_table, "id")
    authors = user_ids.rows(post_table, "author_id")
    follow_columns, skipped_follows = read_follows(tables["follows"], user_ids)
    events, has_event_id = _events(interaction_table, user_ids, post_ids, options)
    order, skipped_events = _distinct_by_time(interaction_table, events, has_event_id)
    post_columns = read_posts(post_table, post_rows, post_ids, authors, events, options)
    control_columns, skipped_controls = read_controls(
        tables["controls"], user_ids, post_ids, len(post_columns)
    )
    membership_columns, skipped_memberships = read_memberships(tables["memberships"], user_ids)
    pages, skipped_pages = read_pages(tables["impressions"], user_ids, post_ids, len(post_columns))
    duplicate_id = "is a duplicate id; the first row was kept"
    return FeedFile(
        FeedDataset(
            read_users(user_table, user_rows, user_ids),
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
        (
            *(f"{table.file.name}: {note}" for table in tables.values() for note in table.notes),
            *user_ids.notes("users"),
            *post_ids.notes("posts"),
        ),
        columns={kind: _described(table) for kind, table in tables.items() if table.rows},
        listed={
            "users": np.isin(np.arange(len(user_ids)), user_rows),
            "posts": np.isin(np.arange(len(post_columns)), post_rows),
        },
    )


def _described(table: FileTable) -> tuple[str, ...]:
    undated = "created_at" in table.columns and table.columns["created_at"].null_count > 0
    return tuple(name for name in table.columns if name != "created_at" or not undated)


def _without_dropped(table: FileTable, options: ReadOptions) -> FileTable:
    """The interactions without the types that the event map drops, with a note of how many those are."""
    if DROP not in options.event_map.values():
        return table
    dropped = columns.interaction_codes(table, options) == columns.DROPPED_CODE
    if not dropped.any():
        return table
    note = f"dropped {int(dropped.sum()):,} interactions by --event-map"
    return replace(table.where(~dropped), notes=(*table.notes, note))


def _events(
    table: FileTable, users: IdIndex, posts: IdIndex, options: ReadOptions
) -> tuple[EventColumns, NDArray[np.bool_]]:
    """The events in the order of the file, and which of them have an id."""
    event_id, has_id = columns.event_ids(table)
    return EventColumns(
        users.rows(table, "user_id"),
        posts.rows(table, "post_id"),
        columns.interaction_codes(table, options),
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
