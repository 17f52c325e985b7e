"""Reads the users and posts of feed files."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.domain.feed.dataset import NO_TIME, EventColumns, PostColumns, UserColumns, microseconds
from app.domain.feed.embeddings import same_length
from data.feed_files import columns
from data.feed_files.file_tables import FileTable
from data.feed_files.ids import IdIndex
from data.feed_files.options import ReadOptions
from data.times import MAX_DAYS_UNTIL_POST

_LATEST = np.iinfo(np.int64).max
T = TypeVar("T")


def read_users(table: FileTable, listed: NDArray[np.int32], ids: IdIndex) -> UserColumns:
    """The users in the order of their ids; `listed` holds the id number of each row."""
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


def read_posts(
    table: FileTable,
    listed: NDArray[np.int32],
    ids: IdIndex,
    authors: NDArray[np.int32],
    events: EventColumns,
    options: ReadOptions,
) -> PostColumns:
    """The posts in the order of their ids. A post without a time dates from its first event, else from the options."""
    first_event = np.full(len(ids), _LATEST)
    np.minimum.at(first_event, events.post, events.time_us)
    row_of = _first_rows(listed, len(ids))
    given = columns.times(table, max_days_ahead=MAX_DAYS_UNTIL_POST)
    created = np.append(given, NO_TIME)[row_of]
    created = np.where(created == NO_TIME, first_event, created)
    if options.created_at is not None:
        created[created == _LATEST] = microseconds(options.created_at)
    if (undated := created == _LATEST).any():
        bad = np.zeros(table.rows, np.bool_)
        bad[row_of[undated]] = True
        raise table.bad_rows(
            "id", bad, "has no created_at, no interaction to date it by, and no --created-at"
        )
    return PostColumns(
        ids.keys,
        list(ids.given),  # rows of other files extend it
        np.append(authors, np.int32(-1))[row_of],
        created,
        np.append(columns.shown(table), True)[row_of],
        np.arange(len(ids), dtype=np.int64),
        [text or "" for text in _spread(columns.texts(table, "content"), row_of, None)],
        _spread(columns.tags(table), row_of, ()),
        np.append(columns.counts(table, "like_count"), -1)[row_of],
        np.append(columns.counts(table, "comment_count"), -1)[row_of],
        _optional(table, "visibility", columns.visibilities, row_of, "public"),
        _optional(table, "audience_id", columns.texts, row_of, None),
        _optional(table, "language", columns.language, row_of, None),
        _flags(table, "sensitive", row_of, default=False),
        reply_to=_optional(table, "reply_to", columns.post_ids, row_of, None),
        root_id=_optional(table, "root_id", columns.post_ids, row_of, None),
        repost_of=_optional(table, "repost_of", columns.post_ids, row_of, None),
        embedding=same_length(_optional(table, "embedding", columns.embeddings, row_of, None) or ()),
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
    """The values of a column at `row_of`, `default` where it is -1; None without the column."""
    if name not in table.columns:
        return None
    return _spread(read(table, name), row_of, default)


def _first_rows(listed: NDArray[np.int32], n: int) -> NDArray[np.intp]:
    """(n,) the first row of the file with each id, -1 for none. `listed` holds the id number of each row."""
    row_of = np.full(n, -1, dtype=np.intp)
    row_of[listed[::-1]] = np.arange(len(listed))[::-1]
    return row_of


def _spread(values: list[T], row_of: NDArray[np.intp], default: T) -> list[T]:
    """The values at `row_of`, and the default where it is -1."""
    values = [*values, default]
    return [values[row] for row in row_of.tolist()]
