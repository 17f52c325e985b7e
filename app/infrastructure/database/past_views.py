"""Temporary views that show a feed as it was before a time, for SQL that must not know what happened later.

They select from temporary tables that hold the feed of a replay. The transaction's rollback removes them.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.entities import INTERACTION_TYPES
from app.domain.feed.dataset import NO_TIME, FeedDataset, time_of
from app.infrastructure.database.bulk_rows import Columns, json_rows, json_values

AT: Final = "current_setting('feed.at')::timestamptz"
"""SQL of the time at which the views end: they show what happened strictly before it."""
USER_ID: Final = "current_setting('feed.user_id')"
"""SQL of the user's id as their team writes it (`external_id`), text."""
USER_KEY: Final = "current_setting('feed.user_key')::uuid"
"""SQL of the same user's `id`."""

_TABLES: Final = {
    "feed_users": "id uuid, external_id text, created_at timestamptz",
    "feed_posts": "id uuid, external_id text, author_id uuid, content text, tags text[], created_at timestamptz, "
    "root_id uuid, repost_of uuid",
    "feed_follows": "follower_id uuid, followee_id uuid, created_at timestamptz",
    "user_interaction": "user_id uuid, post_id uuid, interaction_type text, created_at timestamptz",
}
PAST_VIEWS: Final = tuple(_TABLES)
"""The views, by the names that the service and the documentation use."""
_COLUMNS: Final = {
    # The user of the request exists, although nothing may be known of them yet.
    "feed_users": f"id, external_id, least(created_at, {AT}) AS created_at",
    "user_interaction": "user_id, post_id, interaction_type, created_at, created_at AS occurred_at",
}
_INDEXES: Final = {
    "feed_users": ("id", "external_id"),
    "feed_posts": ("id", "external_id", "created_at", "author_id, created_at"),
    "feed_follows": ("follower_id", "followee_id"),
    "user_interaction": ("created_at", "post_id, created_at", "user_id, created_at"),
}
_ROWS_PER_INSERT: Final = 20_000
_TIME: Final = "datetime64[us]"  # NO_TIME is numpy's NaT


def create_past_views(connection: Connection) -> None:
    """Create the views over empty tables, in the connection's transaction."""
    for view, columns in _TABLES.items():
        condition = f"created_at < {AT}" + (f" OR id = {USER_KEY}" if view == "feed_users" else "")
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE {_table(view)} ({columns});"
            f"CREATE TEMPORARY VIEW {view} AS SELECT {_COLUMNS.get(view, '*')} FROM pg_temp.{_table(view)} "
            f"WHERE {condition}"
        )


def fill_past_views(
    connection: Connection,
    dataset: FeedDataset,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Copy a feed into the tables of the views. `progress` receives the number of rows that are copied, and of all.

    The session's time zone must be UTC. Values without a time are omitted: undated follows, present counts and
    visibility. A post exists from the earlier of its creation and its first event; a user from the earliest of their
    account, first post and first event.
    """
    views = _columns(dataset)
    total, done = sum(len(columns["created_at"]) for columns in views.values()), 0
    for view, columns in views.items():
        insert = (
            f"INSERT INTO pg_temp.{_table(view)} "
            f"SELECT * FROM json_populate_recordset(NULL::pg_temp.{_table(view)}, %s)"
        )
        for start in range(0, len(columns["created_at"]), _ROWS_PER_INSERT):
            rows = json_rows(columns, slice(start, start + _ROWS_PER_INSERT))
            connection.exec_driver_sql(insert, (orjson.dumps(rows).decode(),))
            done += len(rows)
            progress(done, total)
        for index in _INDEXES[view]:
            connection.exec_driver_sql(f"CREATE INDEX ON pg_temp.{_table(view)} ({index})")
        connection.exec_driver_sql(f"ANALYZE pg_temp.{_table(view)}")


def move_past_views(connection: Connection, at_us: int, user_id: str, user_key: bytes) -> None:
    """Let the views end at a time in microseconds since the epoch, for the requests of one user."""
    at = time_of(at_us)
    connection.exec_driver_sql(
        "SELECT set_config('feed.at', %s, true), set_config('feed.user_id', %s, true), "
        "set_config('feed.user_key', %s, true)",
        (str(at), user_id, user_key.hex()),
    )


def _table(view: str) -> str:
    return f"past_{view}"


def _columns(dataset: FeedDataset) -> dict[str, Columns]:
    """View -> column -> one value per row. Follows without a time are omitted."""
    users, posts, follows, events = dataset.users, dataset.posts, dataset.follows, dataset.events
    post_times = _earliest(posts.created_us, (events.post, events.time_us))
    known = posts.author >= 0
    user_times = _earliest(
        np.full(len(users), NO_TIME) if users.created_us is None else users.created_us,
        (events.user, events.time_us),
        (posts.author[known], post_times[known]),
    )
    user_ids = json_values(users.key)
    nothing = [None] * len(posts)
    dated = np.flatnonzero(follows.since_us != NO_TIME)
    return {
        "feed_users": {
            "id": users.key,
            "external_id": users.external_id,
            "created_at": user_times.view(_TIME),
        },
        "feed_posts": {
            "id": posts.key,
            "external_id": posts.external_id,
            "author_id": [user_ids[row] if row >= 0 else None for row in posts.author.tolist()],
            "content": posts.text,
            "tags": posts.tags,
            "created_at": post_times.view(_TIME),
            "root_id": nothing if posts.root_id is None else posts.root_id,
            "repost_of": nothing if posts.repost_of is None else posts.repost_of,
        },
        "feed_follows": {
            "follower_id": users.key[follows.follower[dated]],
            "followee_id": users.key[follows.followee[dated]],
            "created_at": follows.since_us[dated].view(_TIME),
        },
        "user_interaction": {
            "user_id": users.key[events.user],
            "post_id": posts.key[events.post],
            "interaction_type": np.array(INTERACTION_TYPES, object)[events.kind],
            "created_at": events.time_us.view(_TIME),
        },
    }


def _earliest(
    given_us: NDArray[np.int64], *occurrences: tuple[NDArray[np.integer[Any]], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """(n,) the earliest time of each row: its own, or that of an occurrence (row, time); NO_TIME without any."""
    never = np.iinfo(np.int64).max
    earliest = np.where(given_us == NO_TIME, never, given_us)
    for rows, times in occurrences:
        np.minimum.at(earliest, rows, np.where(times == NO_TIME, never, times))
    return np.where(earliest == never, NO_TIME, earliest)
